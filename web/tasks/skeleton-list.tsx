import styles from "./skeleton-list.module.css";

const ROWS = ["a", "b", "c", "d"];

/** The shape of what is to come. Screen readers hear that the list is busy. */
export function SkeletonList() {
  return (
    <div className={styles.skeleton}>
      <p className="visually-hidden">Loading tasks…</p>
      {ROWS.map((row) => (
        <div key={row} className={styles.row} aria-hidden="true">
          <span className={styles.circle} />
          <span className={styles.bar} data-row={row} />
        </div>
      ))}
    </div>
  );
}
