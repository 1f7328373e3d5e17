import styles from "./empty-list.module.css";
import { quote } from "./failure.ts";
import type { View } from "./view.ts";

interface EmptyListProps {
  readonly view: View;
  readonly onChange: (view: View) => void;
  readonly onStart: () => void;
}

/** Why there is nothing to see, and what to do about it. */
export function EmptyList({ view, onChange, onStart }: EmptyListProps) {
  const { title, text, action, act } = explain({ view, onChange, onStart });
  return (
    <div className={styles.empty}>
      <h2>{title}</h2>
      <p>{text}</p>
      <button className="button" type="button" onClick={act}>
        {action}
      </button>
    </div>
  );
}

function explain({ view, onChange, onStart }: EmptyListProps) {
  const showAll = { action: "Show all tasks", act: () => onChange({ show: "all", search: "" }) };
  if (view.search !== "") {
    const where = { all: "", open: " open", done: " done" }[view.show];
    return {
      title: `No${where} task matches ${quote(view.search)}`,
      text: "Titles are searched for exactly this text, in upper or lower case.",
      action: "Clear search",
      act: () => onChange({ ...view, search: "" }),
    };
  }
  switch (view.show) {
    case "open":
      return { title: "Nothing is open", text: "All that is left is done.", ...showAll };
    case "done":
      return { title: "Nothing is done yet", text: "Tasks you tick off come here.", ...showAll };
    case "all":
      return {
        title: "No tasks yet",
        text: "Write down the first thing that is to be done.",
        action: "Write the first one",
        act: onStart,
      };
  }
}
