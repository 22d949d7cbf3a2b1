/** SHA-256, by which the kernel knows a program. Loading Node's crypto takes 2 ms: only what needs it does. */
export function programHash(insns: Uint8Array): Uint8Array {
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(insns).digest();
}
