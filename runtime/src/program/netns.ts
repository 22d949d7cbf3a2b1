import { type FileTarget, nameOfTarget } from '../link/file-target.js';
import { attachNetns, OWN_NAMESPACE, queryNetns } from '../link/netns.js';
import type { AttachedProgram } from '../link/program-name.js';
import { UpdatableLink } from '../link/updatable-link.js';
import { Program } from './program.js';

/** A program that works for all of a network namespace. */
export class NetnsProgram extends Program {
  /**
   * Attaches to a network namespace: by path (`/proc/PID/ns/net`, `/run/netns/NAME`), by a descriptor that is open, or to
   * that of this process. Throws a BpfError that says why not: no network namespace, others in the way, a missing
   * capability.
   *
   * @example using link = skel.progs.steer.attach('/run/netns/blue');
   */
  attach(namespace: FileTarget = OWN_NAMESPACE): UpdatableLink {
    const { kernel } = this.handle;
    const where = namespace === OWN_NAMESPACE ? 'this process' : nameOfTarget(namespace);
    const parts = { kernel, program: this.name, target: `${this.section} in ${where}` };
    const hold = attachNetns({
      ...parts,
      prog: this.fd,
      attachType: this.handle.expectedAttachType,
      namespace,
    });
    const link = new UpdatableLink(parts, hold);
    this.handle.own(link);
    return link;
  }

  /** The programs of this kind in a network namespace, in the order they run. Linux 5.8; needs CAP_NET_ADMIN. */
  query(namespace: FileTarget = OWN_NAMESPACE): readonly AttachedProgram[] {
    return queryNetns(this.handle.kernel, namespace, this.handle.expectedAttachType);
  }
}
