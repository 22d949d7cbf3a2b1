// The other side of the benchmark: what a C program does through libbpf. Reads the names of samples from stdin, one a
// line, takes each once, and answers with a line "WALL CPU COUNT": nanoseconds and how many operations took them.
//   theirs run FILE              the line is a command; its output goes to FILE
//   theirs load OBJECT           load: open, load, attach all programs, detach, close
//   theirs data OBJECT           lookup, update, batch, emit, consume, pipe (both), million, latency
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ENTRIES 10000
#define OPERATIONS 20000
#define PINGS 200

struct stats {
	__u64 packets, bytes;
	__u32 last, flags;
};

struct event {
	__u64 time;
	__u32 pid;
	__s32 result;
	__u64 bytes;
	char comm[16];
};

struct instant {
	double wall, cpu;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double of_timeval(struct timeval t)
{
	return t.tv_sec * 1e9 + t.tv_usec * 1e3;
}

static struct instant now(int who)
{
	struct timespec wall;
	struct rusage used;

	getrusage(who, &used);
	clock_gettime(CLOCK_MONOTONIC, &wall);
	return (struct instant){ wall.tv_sec * 1e9 + wall.tv_nsec, of_timeval(used.ru_utime) + of_timeval(used.ru_stime) };
}

static void answer(struct instant from, struct instant to, long count)
{
	printf("%.0f %.0f %ld\n", to.wall - from.wall, to.cpu - from.cpu, count);
	fflush(stdout);
}

static void run(const char *path, char *line)
{
	char *words[16] = { 0 };
	int count = 0, status, output = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct instant from;
	pid_t child;

	if (output < 0)
		die(path);
	for (char *word = strtok(line, "\t"); word && count < 15; word = strtok(NULL, "\t"))
		words[count++] = word;
	from = now(RUSAGE_CHILDREN);
	child = fork();
	if (child == 0) {
		dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
		dup2(output, 1);
		execvp(words[0], words);
		die(words[0]);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
		fprintf(stderr, "%s ended with status %d\n", words[0], status);
		exit(1);
	}
	answer(from, now(RUSAGE_CHILDREN), 1);
	close(output);
}

static void load(const char *path)
{
	struct instant from = now(RUSAGE_SELF);
	struct bpf_link *links[16];
	struct bpf_program *program;
	struct bpf_object *object;
	int count = 0;

	object = bpf_object__open_file(path, NULL);
	if (!object || bpf_object__load(object))
		die(path);
	bpf_object__for_each_program(program, object) {
		links[count] = bpf_program__attach(program);
		if (!links[count++])
			die(bpf_program__name(program));
	}
	while (count > 0)
		bpf_link__destroy(links[--count]);
	bpf_object__close(object);
	answer(from, now(RUSAGE_SELF), 1);
}

static __u64 sum;
static double latencies[PINGS];
static int pinged = -1;

static double monotonic(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static int consume(void *context, void *data, size_t size)
{
	const struct event *event = data;

	if (pinged >= 0)
		latencies[pinged++] = monotonic() - event->time;
	sum += event->time + event->pid + event->result + event->bytes + event->comm[0];
	return 0;
}

static struct bpf_object *object;
static struct ring_buffer *ring;
static int stats, emitter, pinger;

static void prepare(const char *path)
{
	object = bpf_object__open_file(path, NULL);
	if (!object || bpf_object__load(object))
		die(path);
	stats = bpf_object__find_map_fd_by_name(object, "stats");
	emitter = bpf_program__fd(bpf_object__find_program_by_name(object, "emit"));
	pinger = bpf_program__fd(bpf_object__find_program_by_name(object, "ping"));
	ring = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "events"), consume, NULL, NULL);
	if (!ring)
		die("ring buffer");
	for (__u32 key = 0; key < ENTRIES; key++) {
		struct stats value = { .packets = key, .bytes = key * 100ull, .last = key };

		if (bpf_map_update_elem(stats, &key, &value, BPF_ANY))
			die("fill");
	}
}

static void emit(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	if (bpf_prog_test_run_opts(emitter, &options))
		die("emit");
}

static void batch(void)
{
	static __u32 keys[ENTRIES];
	static struct stats values[ENTRIES];
	struct instant from = now(RUSAGE_SELF);
	__u32 cursor, count, total = 0;
	void *in = NULL;
	int error;

	do {
		count = ENTRIES - total;
		error = bpf_map_lookup_batch(stats, in, &cursor, keys + total, values + total, &count, NULL);
		in = &cursor;
		total += count;
	} while (!error && total < ENTRIES);
	answer(from, now(RUSAGE_SELF), total);
}

static void *ping(void *context)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	for (int i = 0; i < PINGS; i++) {
		usleep(1000);
		if (bpf_prog_test_run_opts(pinger, &options))
			die("ping");
	}
	return NULL;
}

static int ascending(const void *a, const void *b)
{
	double difference = *(double *)a - *(double *)b;

	return difference < 0 ? -1 : difference > 0;
}

// Pings from another thread, one a millisecond; the middle of how long they took to the callback, as WALL.
static void latency(void)
{
	struct instant from = now(RUSAGE_SELF), to;
	pthread_t thread;

	pinged = 0;
	if (pthread_create(&thread, NULL, ping, NULL))
		die("thread");
	while (pinged < PINGS)
		ring_buffer__poll(ring, -1);
	pthread_join(thread, NULL);
	pinged = -1;
	qsort(latencies, PINGS, sizeof(*latencies), ascending);
	to = now(RUSAGE_SELF);
	to.wall = from.wall + latencies[PINGS / 2];
	answer(from, to, 1);
}

static void data(const char *name)
{
	struct instant from;
	struct stats value = { .packets = 1 };
	long count = OPERATIONS;

	if (strcmp(name, "batch") == 0)
		return batch();
	if (strcmp(name, "latency") == 0)
		return latency();
	if (strcmp(name, "consume") == 0)
		emit();
	from = now(RUSAGE_SELF);
	if (strcmp(name, "lookup") == 0) {
		for (__u32 i = 0; i < OPERATIONS; i++) {
			__u32 key = i % ENTRIES;

			if (bpf_map_lookup_elem(stats, &key, &value))
				die("lookup");
			sum += value.packets + value.bytes + value.last + value.flags;
		}
	} else if (strcmp(name, "update") == 0) {
		for (__u32 i = 0; i < OPERATIONS; i++) {
			__u32 key = i % ENTRIES;

			value.bytes = i;
			if (bpf_map_update_elem(stats, &key, &value, BPF_ANY))
				die("update");
		}
	} else if (strcmp(name, "emit") == 0) {
		emit();
		answer(from, now(RUSAGE_SELF), ring_buffer__consume(ring));
		return;
	} else if (strcmp(name, "pipe") == 0) {
		emit();
		count = ring_buffer__consume(ring);
	} else if (strcmp(name, "million") == 0) {
		for (count = 0; count < 1000000; count += ring_buffer__consume(ring))
			emit();
	} else if (strcmp(name, "consume") == 0) {
		count = ring_buffer__consume(ring);
	} else {
		fprintf(stderr, "no sample %s\n", name);
		exit(2);
	}
	answer(from, now(RUSAGE_SELF), count);
}

int main(int argc, char **argv)
{
	char line[4096];

	if (argc != 3)
		return 2;
	if (strcmp(argv[1], "data") == 0)
		prepare(argv[2]);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (strcmp(argv[1], "run") == 0)
			run(argv[2], line);
		else if (strcmp(argv[1], "load") == 0)
			load(argv[2]);
		else
			data(line);
	}
	return sum == 42;
}
