#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define CGRP_STORAGE 32
#define ARENA 33
#define __ulong(name, val) enum { name##_value = val } name

#define MAP(name, kind, keys, values)                \
	struct {                                     \
		__uint(type, BPF_MAP_TYPE_##kind);   \
		__uint(max_entries, 64);             \
		__type(key, keys);                   \
		__type(value, values);               \
	} name SEC(".maps")

#define STORAGE(name, kind, keys, values)            \
	struct {                                     \
		__uint(type, kind);                  \
		__uint(map_flags, BPF_F_NO_PREALLOC);\
		__type(key, keys);                   \
		__type(value, values);               \
	} name SEC(".maps")

struct stats {
	__u64 packets;
};

struct route {
	__u32 prefixlen;
	__u8 address[4];
};

struct tuple {
	__u32 address;
	__u16 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct route);
	__type(value, struct stats);
} routes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 64);
	__type(value, struct stats);
} waiting SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 64);
	__uint(value_size, 4);
} freed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 64);
	__uint(map_extra, 3);
	__type(value, struct tuple);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 64);
	__uint(key_size, 4);
	__uint(value_size, 1016);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_STACK_BUILD_ID);
	__uint(key_size, 4);
	__uint(value_size, 4064);
} places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct stats);
} shared SEC(".maps");

struct {
	__uint(type, ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 16);
	__ulong(map_extra, 0x100000000000ull);
} pages SEC(".maps");

MAP(groups, CGROUP_ARRAY, __u32, __u32);
MAP(by_number, SOCKMAP, __u32, __u64);
MAP(by_tuple, SOCKHASH, struct tuple, __u64);
MAP(listeners, REUSEPORT_SOCKARRAY, __u32, __u64);
MAP(queues, XSKMAP, __u32, __u32);
MAP(ports, DEVMAP, __u32, struct bpf_devmap_val);
MAP(uplinks, DEVMAP_HASH, __u32, __u32);
MAP(cores, CPUMAP, __u32, struct bpf_cpumap_val);
STORAGE(of_socket, BPF_MAP_TYPE_SK_STORAGE, int, struct stats);
STORAGE(of_file, BPF_MAP_TYPE_INODE_STORAGE, int, struct stats);
STORAGE(of_task, BPF_MAP_TYPE_TASK_STORAGE, int, struct stats);
STORAGE(of_cgroup, CGRP_STORAGE, int, struct stats);

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, struct stats);
} attached SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct stats);
} attached_per_cpu SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
