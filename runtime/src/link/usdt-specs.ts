import type { Fd, Kernel } from '../kernel/kernel.js';
import { type Attachment, attachError, cannotAttach, errnoOf, type Reason } from './attach-error.js';
import { failAfter, releaseAll } from './release.js';
import { USDT_SPEC_SIZE } from './usdt-arguments.js';

/** A map of the object, as far as USDT needs it. */
export interface UsdtMap {
  fd(): Fd;
  readonly maxEntries: number;
  readonly valueSize: number;
}

/** The maps that bpf/usdt.bpf.h puts into an object. */
export const usdtMapNames = { specs: '__bpf_usdt_specs', ips: '__bpf_usdt_ip_to_spec_id' } as const;

const NOEXIST = 1n;

/** What one attachment holds of the object's maps. */
export interface HeldSpecs {
  /** The cookie of each place: the number of its spec. */
  readonly ids: readonly number[];
  /** Gives numbers and addresses back; call it when nothing runs any more that could look them up. */
  release(): void;
}

function whyNoAddress(error: unknown, { maxEntries }: UsdtMap): Reason | undefined {
  switch (errnoOf(error)) {
    case 'EEXIST':
      return {
        why: 'a program of this object is attached there already, and this kernel has no cookies to tell two apart',
      };
    case 'E2BIG':
      return {
        why: `the object's map ${usdtMapNames.ips} has room for ${maxEntries} places`,
        hint: 'Define BPF_USDT_MAX_IP_CNT before #include <bpf/usdt.bpf.h>, or set maxEntries of the map before load',
      };
    default:
      return undefined;
  }
}

/** A place and what is to be known of it. */
export interface SpecPlace {
  /** Places of the same text share a spec. */
  readonly text: string;
  readonly spec: Uint8Array;
  /** Where it runs in memory, for kernels without cookies. */
  readonly address: bigint | undefined;
}

/**
 * Where the arguments of an object's USDT probes are kept for its programs: in two maps that all its attachments share
 * (libbpf: struct usdt_manager). A program finds its spec by the cookie of the place; on kernels before 5.15, which have
 * no cookies, by the address it runs at.
 */
export class UsdtSpecs {
  /** The kernel has cookies, and the object was loaded knowing so. */
  readonly cookies: boolean;
  readonly #kernel: Kernel;
  readonly #specs: UsdtMap | undefined;
  readonly #ips: UsdtMap | undefined;
  readonly #free: number[] = [];
  #next = 0;

  constructor(kernel: Kernel, specs: UsdtMap | undefined, ips: UsdtMap | undefined, cookies: boolean) {
    this.#kernel = kernel;
    this.#specs = specs;
    this.#ips = ips;
    this.cookies = cookies;
  }

  /** Writes what the programs need to know of these places. All or nothing. */
  hold(attachment: Attachment, places: readonly SpecPlace[]): HeldSpecs {
    const specs = this.#require(attachment, this.#specs, usdtMapNames.specs);
    const ips = this.#require(attachment, this.#ips, usdtMapNames.ips);
    if (specs.valueSize !== USDT_SPEC_SIZE) {
      throw cannotAttach(attachment, 'ERR_BPF_LAYOUT', {
        why: `map ${usdtMapNames.specs} has values of ${specs.valueSize} bytes, not ${USDT_SPEC_SIZE}: its bpf/usdt.bpf.h is of another sort`,
      });
    }
    // Kept: when the object is destroyed its links end while its descriptors are still open, but not given out any more.
    const ipsFd = ips.fd();
    const byText = new Map<string, number>();
    const addresses: bigint[] = [];
    const release = () => {
      const steps = addresses.splice(0).map((address) => () => {
        this.#kernel.mapDelete(ipsFd, this.#address(address));
      });
      this.#free.push(...byText.values());
      byText.clear();
      releaseAll(...steps);
    };
    try {
      const ids = places.map(({ text, spec, address }) => {
        const id = byText.get(text) ?? this.#write(attachment, specs, spec);
        byText.set(text, id);
        if (address !== undefined) {
          this.#kernel.mapUpdate(ipsFd, this.#address(address), this.#number(id), NOEXIST);
          addresses.push(address);
        }
        return id;
      });
      return { ids, release };
    } catch (error) {
      const reason = whyNoAddress(error, ips);
      return failAfter(reason === undefined ? error : attachError(attachment, error, reason), release);
    }
  }

  #write(attachment: Attachment, specs: UsdtMap, spec: Uint8Array): number {
    const id = this.#free.pop() ?? this.#next++;
    try {
      if (id < specs.maxEntries) {
        this.#kernel.mapUpdate(specs.fd(), this.#number(id), spec);
        return id;
      }
    } catch (error) {
      this.#free.push(id);
      throw error;
    }
    this.#next = specs.maxEntries;
    throw cannotAttach(attachment, 'E2BIG', {
      why: `the object's map ${usdtMapNames.specs} has room for ${specs.maxEntries} different places`,
      hint: `Define BPF_USDT_MAX_SPEC_CNT before #include <bpf/usdt.bpf.h>, or set maxEntries of the map before load`,
    });
  }

  #require(attachment: Attachment, map: UsdtMap | undefined, name: string): UsdtMap {
    if (map !== undefined) return map;
    throw cannotAttach(attachment, 'ESRCH', {
      why: `the object has no map ${name}`,
      hint: 'Let its source include <bpf/usdt.bpf.h>',
    });
  }

  #number(value: number): Uint8Array {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, this.#kernel.littleEndian);
    return bytes;
  }

  #address(value: bigint): Uint8Array {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, this.#kernel.littleEndian);
    return bytes;
  }
}
