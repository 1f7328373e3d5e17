import Link from "next/link";
import { redirect } from "next/navigation";
import { HOME } from "../lib/next-path.ts";
import { getUser } from "../server/session.ts";
import { Page } from "../ui/page.tsx";
import styles from "./page.module.css";

const POINTS = [
  {
    title: "You sign in here",
    text: "Better Auth keeps your session in a cookie that no script can read.",
  },
  {
    title: "Every request is proven",
    text: "The task service sees a signed token that lives for minutes, and checks it each time.",
  },
  {
    title: "Your tasks stay yours",
    text: "Whose task it is comes from the token alone. Nobody can ask for another’s.",
  },
];

export default async function Home() {
  const user = await getUser();
  if (user !== null && user !== "unavailable") redirect(HOME);
  return (
    <Page>
      <div className={styles.hero}>
        <h1>A task list with a good lock on it.</h1>
        <p className={styles.lead}>
          Write down what is to be done, tick it off, find it again. Keyward makes sure that it is
          you who asks.
        </p>
        <p className="actions">
          <Link className="button" data-look="primary" href="/sign-up">
            Create account
          </Link>
          <Link className="button" href="/sign-in">
            Sign in
          </Link>
        </p>
      </div>
      <ul className={styles.points}>
        {POINTS.map(({ title, text }) => (
          <li key={title}>
            <h2>{title}</h2>
            <p>{text}</p>
          </li>
        ))}
      </ul>
    </Page>
  );
}
