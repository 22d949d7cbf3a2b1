import type { Verdict, Verification } from '@bpfskel/runtime';

/** One object's verdicts as a line of JSON: first what tools compare, in a fixed order, then what was measured. */
export function verdictLine({ object, open, message, maps, programs, load }: Verification): string {
  const line =
    open === 0 ? { object, open, maps, programs: programs.map(fields), load } : { object, open, message };
  return escaped(JSON.stringify(line));
}

function fields({ name, section, type, attach, err, message, tag, insns, statistics }: Verdict): Verdict {
  return {
    ...{ name, section, type, attach, err },
    ...(message === undefined ? {} : { message }),
    ...(tag === undefined ? {} : { tag }),
    ...(insns === undefined ? {} : { insns }),
    ...(statistics === undefined ? {} : { statistics }),
  };
}

/** JSON leaves some control characters as they are; a terminal need not see those either. */
function escaped(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
