import { syscallError } from './errno.js';
import type { Kernel, Mapping } from './kernel.js';
import type { Libc } from './libc.js';

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;

interface Region {
  readonly libc: Libc;
  readonly address: number;
  readonly length: number;
}

/** Gives back the address space of closed mappings when nobody can look at them any more. */
const forgotten = new FinalizationRegistry<Region>(({ libc, address, length }) => {
  libc.munmap(address, length);
});

/**
 * mmap(2) of a descriptor, shared. Read-only memory really is: a write to its buffer ends the process, so whoever
 * hands it out does so behind accessors.
 */
export function mappingCalls(libc: Libc): Pick<Kernel, 'mmap'> {
  return {
    mmap(fd, offset, length, writable) {
      const protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
      const address = libc.mmap(0, length, protection, MAP_SHARED, fd, offset);
      if (address === -1) throw syscallError('mmap', libc.errno());
      try {
        return mapping({ libc, address, length }, libc.view(address, length), protection);
      } catch (error) {
        libc.munmap(address, length);
        throw error;
      }
    },
  };
}

function mapping(region: Region, buffer: ArrayBuffer, protection: number): Mapping {
  const { libc, address, length } = region;
  let open = true;
  return {
    buffer,
    /**
     * Views of the buffer cannot be taken back, and reading unmapped memory ends the process. So the region is
     * replaced by private zero pages first, which frees what was mapped and leaves stale views harmless; the address
     * range goes when the buffer is collected. A buffer that was transferred is shared with one we cannot watch: its
     * range stays. So does the mapping itself if the kernel has no memory for the exchange.
     */
    close() {
      if (!open) return;
      open = false;
      const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
      const replaced = libc.mmap(address, length, protection, flags, -1, 0) === address;
      if (replaced && buffer.byteLength === length) forgotten.register(buffer, region);
    },
  };
}
