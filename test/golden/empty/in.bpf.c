#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>



char LICENSE[] SEC("license") = "GPL";
