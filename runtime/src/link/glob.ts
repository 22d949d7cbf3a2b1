/** True when `pattern` asks for a match rather than names one thing. */
export function isGlob(pattern: string): boolean {
  return /[*?]/.test(pattern);
}

/**
 * True when the whole of `text` matches: `*` stands for any characters, `?` for one, as in libbpf's glob_match. Takes
 * time in proportion to both lengths even for hostile patterns: only the last `*` is ever moved.
 */
export function globMatch(text: string, pattern: string): boolean {
  let at = 0;
  let wanted = 0;
  let star = -1;
  let resume = 0;
  while (at < text.length) {
    const char = pattern[wanted];
    if (char === '*') {
      star = wanted++;
      resume = at;
    } else if (char === '?' || char === text[at]) {
      wanted += 1;
      at += 1;
    } else if (star >= 0) {
      wanted = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[wanted] === '*') wanted += 1;
  return wanted === pattern.length;
}
