/* SPDX-License-Identifier: MIT */
/*
 * What a BPF program's source can tell bpfskel of its types. `bpfskel build` finds this header by itself; elsewhere add
 * -I node_modules/bpfskel/include. Each of these is a declaration tag in BTF and costs nothing at run time. They need
 * clang 14 or newer; other compilers, which a header may be shared with, see nothing.
 */
#ifndef BPFSKEL_H
#define BPFSKEL_H

#if defined(__has_attribute)
#if __has_attribute(btf_decl_tag)
#define bpfskel_decl_tag_(text) __attribute__((btf_decl_tag(text)))
#endif
#endif
#ifndef bpfskel_decl_tag_
#define bpfskel_decl_tag_(text)
#endif

/*
 * Of a ring or perf buffer: the type of its records, or the several that they may have. libbpf takes no
 * __type(value, ...) for ring buffers, but this.
 *
 *	struct {
 *		__uint(type, BPF_MAP_TYPE_RINGBUF);
 *		__uint(max_entries, 256 * 1024);
 *	} events SEC(".maps") bpfskel_record(exec_event | exit_event);
 */
#define bpfskel_record(...) bpfskel_decl_tag_("bpfskel:record=" #__VA_ARGS__)

/*
 * Of a struct with a union, or of the union as its member: the member that says which arm is meant. TypeScript then
 * narrows the union by it.
 *
 *	struct event {
 *		enum event_type type;
 *		union {
 *			struct exec exec;		// meant by EVENT_EXEC, for its name
 *			struct end end bpfskel_tag(EVENT_EXIT);
 *		};
 *	} bpfskel_union(type);
 */
#define bpfskel_union(...) bpfskel_decl_tag_("bpfskel:union=" #__VA_ARGS__)

/* Of an arm of such a union, of its struct, or of the struct of a record: the values of the tag that mean it. */
#define bpfskel_tag(...) bpfskel_decl_tag_("bpfskel:tag=" #__VA_ARGS__)

/* Of a member: its bytes are wanted as they are, such as those of a char[] that holds several texts. */
#define bpfskel_bytes bpfskel_decl_tag_("bpfskel:bytes")

/* Keeps a type that only pointers mention in BTF: bpfskel_type(struct exec_event); */
#define bpfskel_type(...) \
	const __VA_ARGS__ *bpfskel_unique_(bpfskel_type_, __COUNTER__) \
		__attribute__((unused, visibility("hidden")))
#define bpfskel_unique_(name, number) bpfskel_joined_(name, number)
#define bpfskel_joined_(name, number) name##number

#endif
