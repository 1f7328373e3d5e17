import Link from "next/link";
import styles from "./brand.module.css";

/** The word and its mark: a keyhole. */
export function Brand() {
  return (
    <Link className={styles.brand} href="/" prefetch={false}>
      <svg aria-hidden="true" width="26" height="26" viewBox="0 0 32 32">
        <rect className={styles.plate} width="32" height="32" rx="8" />
        <path
          className={styles.hole}
          d="M16 7a6 6 0 0 0-3 11.2V24a1 1 0 0 0 1 1h4a1 1 0 0 0 1-1v-5.8A6 6 0 0 0 16 7Z"
        />
      </svg>
      Keyward
    </Link>
  );
}
