import { useEffect, useRef, useState } from "react";
import { SearchIcon } from "../ui/icons.tsx";
import styles from "./toolbar.module.css";
import { cleanText, SHOWS, TEXT_MAX_LENGTH, type View } from "./view.ts";

interface ToolbarProps {
  readonly view: View;
  readonly onChange: (view: View) => void;
}

const NAMES = { all: "All", open: "Open", done: "Done" };
const PAUSE_MS = 250;

/** Which tasks are shown: a filter and a search, together. */
export function Toolbar({ view, onChange }: ToolbarProps) {
  return (
    <div className={styles.toolbar}>
      <div className={styles.shows} role="radiogroup" aria-label="Show">
        {SHOWS.map((show) => (
          <label key={show} className={styles.show}>
            <input
              type="radio"
              name="show"
              checked={view.show === show}
              onChange={() => onChange({ ...view, show })}
            />
            <span>{NAMES[show]}</span>
          </label>
        ))}
      </div>
      <SearchBox search={view.search} onChange={(search) => onChange({ ...view, search })} />
    </div>
  );
}

interface SearchBoxProps {
  readonly search: string;
  readonly onChange: (search: string) => void;
}

/** Asks when somebody pauses in typing. */
function SearchBox({ search, onChange }: SearchBoxProps) {
  const [text, setText] = useState(search);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);

  // Cleared from outside, for a task that would not have been seen.
  const [known, setKnown] = useState(search);
  if (known !== search) {
    setKnown(search);
    if (search !== cleanText(text)) setText(search);
  }

  const latest = useRef(onChange);
  useEffect(() => {
    latest.current = onChange;
  });

  function type(typed: string) {
    setText(typed);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => latest.current(cleanText(typed)), typed === "" ? 0 : PAUSE_MS);
  }

  return (
    <div className={styles.search}>
      <SearchIcon />
      <input
        className="input"
        type="search"
        aria-label="Search tasks"
        placeholder="Search"
        autoComplete="off"
        maxLength={TEXT_MAX_LENGTH}
        value={text}
        onChange={({ target }) => type(target.value)}
      />
    </div>
  );
}
