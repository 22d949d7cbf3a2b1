// Every name here has 24 bytes, so that tests can put others in its place.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum placeholder_enum_tag____ { placeholder_enum_value__ };

struct placeholder_struct_tag__ {
	__u32 placeholder_field_scalar;
	char placeholder_field_text__[8];
	enum placeholder_enum_tag____ placeholder_field_enum__;
	union {
		__u32 placeholder_field_arm_1_;
		__u8 placeholder_field_arm_2_[4];
	};
	__u32 placeholder_field_bits__ : 5;
	struct placeholder_pointee_tag_ *placeholder_field_pointr;
};

#define said(text) __attribute__((btf_decl_tag("bpfskel:" text)))

enum placeholder_tagenum00001 { placeholder_valueone0001, placeholder_valuetwo0001 };

struct placeholder_tagged000001 {
	enum placeholder_tagenum00001 placeholder_tagmember001;
	union {
		__u32 placeholder_armone000001 said("tag=placeholder_valueone0001");
		char placeholder_armtwo000001[4] said("tag=placeholder_valuetwo0001");
	} placeholder_unionname001;
	char placeholder_tagshare0001[4] said("bytes");
} said("union=placeholder_tagmember001");

struct placeholder_tagged000001 placeholder_taggedvar001;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct placeholder_struct_tag__);
} placeholder_map_name____ SEC(".maps");

__u64 placeholder_global_name_;
__u64 placeholder_custom_name_ SEC(".data.placeholder_section_");

SEC("placeholder_program_sec_")
int placeholder_program_name(void *ctx)
{
	return placeholder_global_name_ + placeholder_custom_name_;
}

char LICENSE[] SEC("license") = "GPL";
