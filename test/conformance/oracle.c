/*
 * The reference loader: what libbpf makes of BPF objects on this kernel, in the form of `bpfskel verify --json`.
 *
 *   oracle [-v] OBJECT...      one line of JSON an object; -v passes on what libbpf says
 *   oracle --version           the version of libbpf
 *
 * Each object is a child process of its own: one that takes libbpf down, or too long, costs its own line only.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS_PER_OBJECT = 120 };

static bool verbose;

static int log_line(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	return verbose ? vfprintf(stderr, format, arguments) : 0;
}

static void put_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		if (*at < 0x20 || *at == '"' || *at == '\\')
			fprintf(out, "\\u%04x", *at);
		else
			fputc(*at, out);
	}
	fputc('"', out);
}

static void put_member(FILE *out, const char *name, long long value)
{
	fprintf(out, ",\"%s\":%lld", name, value);
}

/* Nothing is to stay behind, and pinned maps of others are not to be filled. */
static struct bpf_object *open_object(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_map *map;

	if (object)
		bpf_object__for_each_map(map, object)
			bpf_map__set_pin_path(map, NULL);
	return object;
}

static void put_maps(FILE *out, struct bpf_object *object)
{
	const char *separator = "";
	struct bpf_map *map;

	fputs(",\"maps\":[", out);
	bpf_object__for_each_map(map, object) {
		fprintf(out, "%s{\"name\":", separator);
		put_string(out, bpf_map__name(map));
		put_member(out, "type", bpf_map__type(map));
		put_member(out, "key", bpf_map__key_size(map));
		put_member(out, "value", bpf_map__value_size(map));
		put_member(out, "max", bpf_map__max_entries(map));
		put_member(out, "flags", bpf_map__map_flags(map));
		fputc('}', out);
		separator = ",";
	}
	fputc(']', out);
}

static void put_tag(FILE *out, int fd)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return;
	fputs(",\"tag\":\"", out);
	for (size_t i = 0; i < sizeof(info.tag); i++)
		fprintf(out, "%02x", info.tag[i]);
	fputc('"', out);
}

/* Loads the program that is number `wanted`, and no other. */
static void put_program(FILE *out, const char *path, int wanted)
{
	struct bpf_object *object = open_object(path);
	struct bpf_program *program, *chosen = NULL;
	int number = 0, result;

	bpf_object__for_each_program(program, object) {
		bool it_is = number++ == wanted;

		bpf_program__set_autoload(program, it_is);
		if (it_is)
			chosen = program;
	}
	result = bpf_object__load(object);
	fputs("{\"name\":", out);
	put_string(out, bpf_program__name(chosen));
	fputs(",\"section\":", out);
	put_string(out, bpf_program__section_name(chosen));
	put_member(out, "type", bpf_program__type(chosen));
	put_member(out, "attach", bpf_program__expected_attach_type(chosen));
	put_member(out, "err", result);
	if (!result)
		put_tag(out, bpf_program__fd(chosen));
	fputc('}', out);
	bpf_object__close(object);
}

static void put_object(FILE *out, const char *path)
{
	struct bpf_object *object = open_object(path);
	struct bpf_program *program;
	int programs = 0;

	fputs("{\"object\":", out);
	put_string(out, path);
	put_member(out, "open", object ? 0 : -errno);
	if (object) {
		put_maps(out, object);
		bpf_object__for_each_program(program, object)
			programs++;
		fputs(",\"programs\":[", out);
		for (int i = 0; i < programs; i++) {
			if (i > 0)
				fputc(',', out);
			put_program(out, path, i);
		}
		fputc(']', out);
		put_member(out, "load", bpf_object__load(object));
		bpf_object__close(object);
	}
	fputs("}\n", out);
}

static void in_child(const char *path)
{
	char *line = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&line, &length);

	alarm(SECONDS_PER_OBJECT);
	put_object(out, path);
	fclose(out);
	fwrite(line, 1, length, stdout);
	fflush(stdout);
	_exit(0);
}

int main(int count, char **words)
{
	int first = 1;

	if (count > 1 && !strcmp(words[1], "--version"))
		return puts(libbpf_version_string()) < 0;
	if (count > 1 && !strcmp(words[1], "-v")) {
		verbose = true;
		first++;
	}
	libbpf_set_print(log_line);
	for (int i = first; i < count; i++) {
		int status = 0;
		pid_t child = fork();

		if (child == 0)
			in_child(words[i]);
		if (child < 0 || waitpid(child, &status, 0) < 0) {
			perror("oracle");
			return 1;
		}
		if (status == 0)
			continue;
		fputs("{\"object\":", stdout);
		put_string(stdout, words[i]);
		put_member(stdout, "signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
		fputs("}\n", stdout);
		fflush(stdout);
	}
	return 0;
}
