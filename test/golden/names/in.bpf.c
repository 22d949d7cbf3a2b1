// Options: --name xdp
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct Codec {
	int constructor;
	int __proto__;
	int class;
};
struct foo_bar { int a; };
struct FooBar { int b; };
struct names { int c; };
struct __sk { int d; };
struct _1 { int e; };

struct Codec codec;
struct foo_bar foo_bar;
struct FooBar fooBar;
struct names names;
struct __sk sk;
struct _1 one;
int __proto__;
int $dollar;

SEC("xdp")
int toString(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
