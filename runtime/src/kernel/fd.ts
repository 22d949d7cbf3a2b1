/** A file descriptor's number. */
export type Fd = number;
