#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct node {
	struct node *next;
	struct list *owner;
	__u32 value;
};

struct list {
	struct node *first;
};

struct node nodes[2];
struct list list;

char LICENSE[] SEC("license") = "GPL";
