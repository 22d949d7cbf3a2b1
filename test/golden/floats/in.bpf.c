#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct floats {
	float single;
	double twice;
};

struct floats floats;

char LICENSE[] SEC("license") = "GPL";
