import type { Fd } from '../kernel/kernel.js';
import { attachSockmap } from '../link/sockmap.js';
import { UpdatableLink } from '../link/updatable-link.js';
import { Program } from './program.js';

/** A map of sockets (SOCKMAP, SOCKHASH): a skeleton's, or the descriptor of one. */
export type SockmapTarget = Fd | { readonly fd: Fd; readonly name?: string };

/** How a program is attached to the sockets of a map. */
export interface SockmapOptions {
  /** Takes the place of a program that no bpf_link holds. It does not come back on detach. */
  readonly replace?: boolean;
}

/** A program that runs for the sockets that are in a map. */
export class SockmapProgram extends Program {
  /**
   * Attaches to a SOCKMAP or SOCKHASH: the program runs for the sockets that are put into it from then on. Throws a
   * BpfError that says why not: another program in its place, another kind of map, a missing capability.
   *
   * On kernels before 6.10, and with `replace`, there is no bpf_link: the program stays with the map.
   *
   * @example using link = skel.progs.redirect.attach(skel.maps.sockets);
   */
  attach(map: SockmapTarget, options: SockmapOptions = {}): UpdatableLink {
    return this.attachAs(this.handle.expectedAttachType, this.section, map, options);
  }

  protected attachAs(
    attachType: number,
    what: string,
    map: SockmapTarget,
    { replace = false }: SockmapOptions,
  ): UpdatableLink {
    const { kernel } = this.handle;
    const [fd, name] = typeof map === 'number' ? [map, `descriptor ${map}`] : [map.fd, map.name ?? 'map'];
    const parts = { kernel, program: this.name, target: `${what} ${name}` };
    const hold = attachSockmap({ ...parts, prog: this.fd, attachType, map: fd, replace });
    const link = new UpdatableLink(parts, hold);
    this.handle.own(link);
    return link;
  }
}
