import type { ReactNode } from "react";

/** Icons only decorate: what they stand beside, or the button's name, says the same. */
function Icon({ children }: { readonly children: ReactNode }) {
  return (
    <svg
      aria-hidden="true"
      width="18"
      height="18"
      viewBox="0 0 18 18"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      {children}
    </svg>
  );
}

export const AlertIcon = () => (
  <Icon>
    <circle cx="9" cy="9" r="6.75" />
    <path d="M9 5.75v3.75M9 12.2v.05" />
  </Icon>
);

export const PencilIcon = () => (
  <Icon>
    <path d="m3 15 .75-3L12 3.75 14.25 6 6 14.25 3 15ZM10.5 5.25l2.25 2.25" />
  </Icon>
);

export const BinIcon = () => (
  <Icon>
    <path d="M3 4.75h12M7 4.75V3h4v1.75M4.5 4.75 5.25 15h7.5l.75-10.25M7.5 7.75v4.5M10.5 7.75v4.5" />
  </Icon>
);

export const SearchIcon = () => (
  <Icon>
    <circle cx="8" cy="8" r="4.75" />
    <path d="m11.5 11.5 3.25 3.25" />
  </Icon>
);
