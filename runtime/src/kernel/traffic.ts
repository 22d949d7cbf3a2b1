import { BpfError, isBpfError } from '../errors.js';
import { ERRNO } from './errno.js';
import type { Libc } from './libc.js';
import { routeDeletion, routeRequest } from './route-request.js';
import { transact } from './rtnetlink.js';
import * as tc from './tc-filter.js';
import type { TcFilter, TcFilterKey, TrafficCalls } from './traffic-calls.js';

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
      const [answer] = transact(libc, tc.filterRequest(filter));
      const made = answer && tc.parseFilter(answer);
      if (made !== undefined) return made;
      // Of a filter of kind matchall, alone in its priority, the kernel tells just that.
      const priority = answer && tc.parsePriority(answer);
      const alone = queryFilters(libc, filter).find((each) => each.priority === priority);
      if (alone !== undefined) return alone;
      throw new BpfError(
        'ERR_BPF_HOST',
        `attach a filter to device ${filter.ifindex}: rtnetlink did not say which it made`,
      );
    },

    filterDelete: (key) => void transact(libc, tc.filterDeletion(key)),

    filterQuery: (ifindex, direction) => queryFilters(libc, { ifindex, direction }),

    routeCreate: (route) => void transact(libc, routeRequest(route)),
    routeDelete: (route) => void transact(libc, routeDeletion(route)),
  };
}

function queryFilters(
  libc: Libc,
  { ifindex, direction }: Pick<TcFilterKey, 'ifindex' | 'direction'>,
): TcFilter[] {
  return transact(libc, tc.filterQuery(ifindex, direction)).flatMap((each) => tc.parseFilter(each) ?? []);
}
