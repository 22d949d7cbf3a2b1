import { BpfError, isBpfError } from '../errors.js';
import { ERRNO } from './errno.js';
import type { Libc } from './libc.js';
import { routeDeletion, routeRequest } from './route-request.js';
import { transact } from './rtnetlink.js';
import * as tc from './tc-filter.js';
import type { TrafficCalls } from './traffic-calls.js';

/** Traffic control and routes, through rtnetlink. */
export function trafficCalls(libc: Libc): TrafficCalls {
  return {
    clsactCreate: (ifindex) => void transact(libc, tc.clsactRequest(ifindex)),
    clsactDelete: (ifindex) => void transact(libc, tc.clsactDeletion(ifindex)),

    filterQdisc(ifindex) {
      try {
        const [kind] = transact(libc, tc.qdiscQuery(ifindex)).flatMap((each) => tc.parseQdisc(each) ?? []);
        return kind;
      } catch (error) {
        // Of a device that never had one; of others the kernel says nothing.
        if (isBpfError(error) && error.errno === ERRNO.ENOENT) return undefined;
        throw error;
      }
    },

    filterSet(filter) {
      const [made] = transact(libc, tc.filterRequest(filter)).flatMap((each) => tc.parseFilter(each) ?? []);
      if (made !== undefined) return made;
      throw new BpfError(
        'ERR_BPF_HOST',
        `attach a filter to device ${filter.ifindex}: rtnetlink did not say which it made`,
      );
    },

    filterDelete: (key) => void transact(libc, tc.filterDeletion(key)),

    filterQuery: (ifindex, direction) =>
      transact(libc, tc.filterQuery(ifindex, direction)).flatMap((each) => tc.parseFilter(each) ?? []),

    routeCreate: (route) => void transact(libc, routeRequest(route)),
    routeDelete: (route) => void transact(libc, routeDeletion(route)),
  };
}
