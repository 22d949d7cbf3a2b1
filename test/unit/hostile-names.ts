import fc from 'fast-check';

/** Names as an attacker would choose them, and as chance does. */
export const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(
      fc.oneof(
        fc.constantFrom(
          ...[
            '*/',
            '/*',
            '//',
            '`',
            '${',
            '}',
            "'",
            '"',
            '\\',
            '\n',
            '\r',
            '\u2028',
            '\u2029',
            '\0',
            '<!--',
            '-->',
          ],
          ...[
            '__proto__',
            'constructor',
            '@ts-ignore',
            '@ts-nocheck',
            '\u202e',
            '\u2066',
            '\ufeff',
            '\ud800',
            '\udc00',
          ],
          ...['\\u0027', '\\x27', ';', '(', ')', '=>', 'export', '🐝', '\u200b', '#!', '\x1b[2J'],
        ),
        fc.string({ maxLength: 4 }),
      ),
      { maxLength: 8 },
    )
    .map((parts) => parts.join('')),
);
