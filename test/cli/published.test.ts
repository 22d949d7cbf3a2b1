import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('the runtime', () => {
  it('is published with the declarations that its entry points reach, and no others', () => {
    const args = ['pack', '--dry-run', '--json', '--silent'];
    const options = { cwd: join(root, 'runtime'), encoding: 'utf8', stdio: 'pipe' } as const;
    const [{ files }] = JSON.parse(execFileSync('npm', args, options));
    const published = files
      .map(({ path }: { path: string }) => path)
      .filter((path: string) => path.endsWith('.d.ts'));
    expect(published).toContain('dist/codegen/v1.d.ts');
    expect(published).not.toContain('dist/kernel/attr.d.ts');
    const imported = published.flatMap((path: string) =>
      [
        ...readFileSync(join(options.cwd, path), 'utf8').matchAll(
          /(?:from |import\()['"](\.[^'"]+)\.js['"]/g,
        ),
      ].map(([, to = '']) => join(dirname(path), `${to}.d.ts`)),
    );
    const missing = imported.filter((path: string) => !published.includes(path));
    expect(missing).toEqual([]);
  });
});
