"use client";

import "./globals.css";
import ErrorPage from "./error.tsx";

/** For an error in the layout itself, in whose place it stands. */
export default function GlobalError(props: Parameters<typeof ErrorPage>[0]) {
  return (
    <html lang="en">
      <body>
        <ErrorPage {...props} />
      </body>
    </html>
  );
}
