const UNDERSCORE = 95;

/**
 * A name without its flavour: `task_struct___old` is `task_struct`. A flavour begins at the last `___` that stands
 * between two other characters than `_` (libbpf: bpf_core_essential_name_len).
 */
export function essentialName(name: string): string {
  for (let at = name.lastIndexOf('___'); at > 0; at = name.lastIndexOf('___', at - 1)) {
    const after = name.charCodeAt(at + 3);
    if (name.charCodeAt(at - 1) !== UNDERSCORE && after !== UNDERSCORE && !Number.isNaN(after)) {
      return name.slice(0, at);
    }
  }
  return name;
}
