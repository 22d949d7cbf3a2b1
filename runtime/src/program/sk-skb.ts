import { cannotAttach } from '../link/attach-error.js';
import type { UpdatableLink } from '../link/updatable-link.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { kind, type SectionRule } from './program.js';
import { type SockmapOptions, SockmapProgram, type SockmapTarget } from './sockmap.js';

/** What a program does with what a socket receives: find where messages end, or decide where they go. */
export type SkSkbRole = 'stream_parser' | 'stream_verdict' | 'verdict';

/** How {@link SkSkbProgram.attach} attaches. */
export interface SkSkbOptions extends SockmapOptions {
  /** What SEC() says when absent; `SEC("sk_skb")` does not say. */
  readonly role?: SkSkbRole;
}

const attachTypes: Readonly<Record<SkSkbRole, number>> = {
  stream_parser: BPF_ATTACH_TYPE.SK_SKB_STREAM_PARSER,
  stream_verdict: BPF_ATTACH_TYPE.SK_SKB_STREAM_VERDICT,
  verdict: BPF_ATTACH_TYPE.SK_SKB_VERDICT,
};

/**
 * A program that sees what the sockets of a map receive, and passes, drops or redirects it. `SEC("sk_skb/stream_verdict")`
 * with `SEC("sk_skb/stream_parser")`, Linux 4.14; `SEC("sk_skb/verdict")` for every sort of socket, Linux 5.13.
 */
export class SkSkbProgram extends SockmapProgram {
  override attach(map: SockmapTarget, options: SkSkbOptions = {}): UpdatableLink {
    const { role, ...rest } = options;
    const said = role ?? this.section.slice('sk_skb/'.length);
    const attachType = isRole(said) ? attachTypes[said] : undefined;
    if (attachType === undefined) {
      throw cannotAttach({ program: this.name, target: this.section }, 'ERR_BPF_ARGUMENT', {
        why: 'SEC("sk_skb") does not say what the program does',
        hint: "Say it in the call: attach(map, { role: 'stream_verdict' })",
      });
    }
    return this.attachAs(attachType, `sk_skb/${said}`, map, rest);
  }
}

function isRole(text: string): text is SkSkbRole {
  return Object.hasOwn(attachTypes, text);
}

const row = (role: SkSkbRole): SectionRule => ({
  match: `sk_skb/${role}`,
  type: BPF_PROG_TYPE.SK_SKB,
  attachType: attachTypes[role],
  attachTypeOptional: true,
});

/** `SEC("sk_skb/stream_parser")`, `SEC("sk_skb/stream_verdict")`, `SEC("sk_skb/verdict")`, `SEC("sk_skb")`. */
export const skSkb = kind({
  kindName: 'skSkb',
  sections: [
    row('stream_parser'),
    row('stream_verdict'),
    row('verdict'),
    { match: 'sk_skb', type: BPF_PROG_TYPE.SK_SKB },
  ],
  program: SkSkbProgram,
});
