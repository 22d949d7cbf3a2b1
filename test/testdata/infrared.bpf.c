// SPDX-License-Identifier: GPL-2.0
// A decoder of a remote control of its own: a key is one pulse, whose length in microseconds is the key's scancode.
#include <linux/bpf.h>
#include <linux/lirc.h>
#include <bpf/bpf_helpers.h>

__u64 pulses;
__u64 spaces;
__u64 ends;

SEC("lirc_mode2")
int decode(unsigned int *sample)
{
	unsigned int length = LIRC_VALUE(*sample);

	if (LIRC_IS_PULSE(*sample)) {
		pulses++;
		bpf_rc_keydown(sample, RC_PROTO_UNKNOWN, length, 0);
	} else if (LIRC_IS_SPACE(*sample)) {
		spaces++;
	} else if (LIRC_IS_TIMEOUT(*sample)) {
		ends++;
	}
	return 0;
}

char _license[] SEC("license") = "GPL";
