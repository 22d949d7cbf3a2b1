// Values of enumerators, of 32 and of 64 bits, found by name under any flavour of the enum.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

enum bpf_map_type___mine { BPF_MAP_TYPE_HASH___mine = 55, BPF_MAP_TYPE_LRU_HASH___mine = 56 };
enum bpf_adj_room_mode___mine { BPF_ADJ_ROOM_MAC___mine = 9 };
enum pid_type { PIDTYPE_PID = 7, PIDTYPE_PGID = 8 };
/* 64 bits wide here, 32 in the kernel. */
enum bpf_link_type___wide { BPF_LINK_TYPE_XDP___wide = 0x700000000ULL };
/* The other way round. */
enum perf_event_sample_format___narrow { PERF_SAMPLE_IP___narrow = 9 };

__u64 seen[8];

SEC("raw_tp")
int values(void *context)
{
	seen[0] = bpf_core_enum_value(enum bpf_map_type___mine, BPF_MAP_TYPE_LRU_HASH___mine);
	seen[1] = bpf_core_enum_value(enum bpf_adj_room_mode___mine, BPF_ADJ_ROOM_MAC___mine);
	seen[2] = bpf_core_enum_value(enum pid_type, PIDTYPE_PGID);
	seen[3] = bpf_core_enum_value(enum pid_type, PIDTYPE_PID);
	return 0;
}

SEC("raw_tp")
int widths(void *context)
{
	seen[0] = bpf_core_enum_value(enum bpf_link_type___wide, BPF_LINK_TYPE_XDP___wide);
	seen[1] = bpf_core_enum_value(enum perf_event_sample_format___narrow, PERF_SAMPLE_IP___narrow);
	return 0;
}

char _license[] SEC("license") = "GPL";
