import type { Fd } from './kernel.js';

/** The part of the seam that is about links that were made. */
export interface LinkCalls {
  /** Exchanges the program of a live link. */
  linkUpdate(link: Fd, prog: Fd): void;
  linkDetach(link: Fd): void;
  linkInfo(link: Fd): LinkInfo;
  /** BPF_ITER_CREATE: a descriptor whose reads run the iterator program, from the beginning. Since 5.8. */
  iterCreate(link: Fd): Fd;
  /**
   * What the program of an iterator writes next, up to buffer.length bytes; 0 at the end. EAGAIN when the next read goes on:
   * a million objects went by of which it wrote nothing, or it wants to see one again.
   */
  iterRead(iter: Fd, buffer: Uint8Array): number;
}

/** What an iterator goes over, where its kind does not say (union bpf_iter_link_info). */
export type IterSubject =
  /** Elements of a map (since 5.10). */
  | { map: Fd }
  /** Cgroups from one on, which is given by descriptor or id, the root by default (since 6.1). `enum bpf_cgroup_iter_order`. */
  | { order: number; cgroup?: Fd | undefined; cgroupId?: bigint | undefined }
  /** One thread, or the threads of one process (since 6.1). */
  | { tid?: number | undefined; pid?: number | undefined; pidfd?: Fd | undefined };

export interface LinkInfo {
  type: number;
  id: number;
  progId: number;
}
