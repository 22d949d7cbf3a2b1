import { ERRNO, syscallError } from './errno.js';
import type { Kernel, Mapping } from './kernel.js';
import type { Libc } from './libc.js';

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MAP_FIXED_NOREPLACE = 0x100000;

interface Region {
  readonly libc: Libc;
  readonly address: number;
  readonly length: number;
}

/** Closed mappings whose buffers somebody may still look at, by address. */
const closed = new Map<number, Region>();

/** Gives back the address space of closed mappings when nobody can look at them any more. */
const forgotten = new FinalizationRegistry<Region>((region) => {
  closed.delete(region.address);
  region.libc.munmap(region.address, region.length);
});

/**
 * Makes a range ours to map over: what is free of it is reserved, and closed mappings in it give up their place, since an
 * arena is loaded again where one was before. False when somebody else's memory lies there. What a closed mapping has
 * beyond the range stays behind as zero pages.
 */
function reserve(libc: Libc, start: number, length: number): boolean {
  const end = start + length;
  const inside = [...closed.values()]
    .filter((region) => region.address < end && region.address + region.length > start)
    .sort((a, b) => a.address - b.address);
  const reserved: Region[] = [];
  let from = start;
  for (const { address, length: size } of [...inside, { address: end, length: 0 }]) {
    if (address > from) {
      const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
      if (libc.mmap(from, address - from, 0, flags, -1, 0) !== from) {
        for (const gap of reserved) libc.munmap(gap.address, gap.length);
        return false;
      }
      reserved.push({ libc, address: from, length: address - from });
    }
    from = Math.max(from, address + size);
  }
  for (const region of inside) {
    forgotten.unregister(region);
    closed.delete(region.address);
  }
  return true;
}

/**
 * mmap(2) of a descriptor, shared. Read-only memory really is: a write to its buffer ends the process, so whoever
 * hands it out does so behind accessors.
 */
export function mappingCalls(libc: Libc): Pick<Kernel, 'mmap'> {
  return {
    mmap(fd, offset, length, writable, wanted = 0n) {
      const protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
      const at = Number(wanted);
      if (at !== 0 && !reserve(libc, at, length)) throw syscallError('mmap', ERRNO.EEXIST);
      const flags = MAP_SHARED | (at === 0 ? 0 : MAP_FIXED);
      const address = libc.mmap(at, length, protection, flags, fd, offset);
      if (address === -1) {
        const errno = libc.errno();
        if (at !== 0) libc.munmap(at, length);
        throw syscallError('mmap', errno);
      }
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
    address: BigInt(address),
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
      if (!replaced || buffer.byteLength !== length) return;
      closed.set(address, region);
      forgotten.register(buffer, region, region);
    },
  };
}
