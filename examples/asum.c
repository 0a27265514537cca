/* asum.c: sha256sum on all cores. Its output is coreutils' own, byte for byte.
 *
 * Tasks carry batches of files: one thread walks the tree, N threads hash, one
 * prints in input order. A bar shows how far it is, kill -USR1 what every task
 * does. Ctrl-C stops the hashing at the next chunk; finished sums are printed.
 *
 *     cc -O2 -I.. asum.c -o asum -lcrypto -pthread
 *
 * printf abc | ./asum - missing prints
 *
 *     ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  -
 *     asum: missing: No such file or directory
 */
#include "async_gather.h" /* gather, semaphore, timeout */
#include "async_thread.h" /* executors, offload */

#include <dirent.h>
#include <err.h>
#include <getopt.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

enum { CHUNK = 64 << 10, FILES = 64, BYTES = 1 << 20, TASKS_A_WORKER = 8 };
enum { WALK, HASH, PRINT, COUNT, EXECUTORS };

struct item { /* one file, from the walk to the printer */
    struct item *next;
    struct stat info;
    int error;                          /* an errno */
    char sum[64], expected[64], name[]; /* expected: by the list, with -c */
};

struct source { /* a generator of items: of a tree, or of a list with -c */
    struct async_frame async;
    struct async_job *job;
    struct item *item, *folders, *folder; /* to be read later; being read */
    char **names, *line;                  /* on the command line; of the list */
    size_t room;
    FILE *list;
    DIR *open;
    int recursive, good, malformed;
};

struct attendant { /* a task: looks after the signals, and after the bar */
    struct async_frame async;
    struct async_timer timer;
    struct asum *asum;
    int status;
};

struct carrier { /* a task: batch after batch, from executor to executor */
    struct async_frame async;
    struct delivery {
        struct async_frame async;
    } delivery;
    struct asum *asum;
    struct async_semaphore turn, *next; /* to print; whose turn is after it */
    struct async_job job;
    const char *doing;
    struct item *items[FILES];
    int count, status;
    atomic_int finished; /* so many are hashed */
    atomic_llong at;     /* how far in the next one; -1: no worker is on it */
};

struct asum { /* the program */
    struct async_frame async;
    struct async_executor executors[EXECUTORS];
    struct async_task *main, *tasks; /* the carriers', then the attendant's */
    struct async_batch gather;
    struct async_job counting;
    struct attendant attendant;
    struct source source, ahead; /* the second counts, for the bar */
    struct carrier *carriers;
    size_t count;
    FILE *out;
    EVP_MD *sha256;
    const char *erase; /* takes the bar away, if there is one */
    int unordered;
    async_time begun;
    atomic_llong found, started, done, bytes, total, total_bytes;
    atomic_int counted, unread, differ;
};

static struct async_loop asum_loop; /* what a signal handler needs */
static struct async_flag signaled;
static atomic_int interrupts, reports;

/* Links are followed on the command line, and not in a folder. */
static struct item *look(int at, const char *folder, const char *name)
{
    size_t length = strlen(folder), size = length + strlen(name) + 2;
    struct item *item = calloc(1, sizeof *item + size);

    if (!item)
        err(1, "%s", name);
    snprintf(item->name, size, "%s%s%s", folder,
             length && folder[length - 1] != '/' ? "/" : "", name);
    if ((length || strcmp(name, "-") != 0) &&
        fstatat(at, name, &item->info, length ? AT_SYMLINK_NOFOLLOW : 0) < 0)
        item->error = errno;
    return item;
}

/* The files of a tree. One folder is open at a time. */
static async files(struct source *self)
{
    struct dirent *entry;

    async_begin(self);
    while (self->folders || *self->names) {
        self->item = self->folders;
        if (self->item)
            self->folders = self->item->next;
        else
            self->item = look(AT_FDCWD, "", *self->names++);
        if (!self->recursive || !S_ISDIR(self->item->info.st_mode)) {
            async_yield();
            continue;
        }
        self->folder = self->item;
        self->open = opendir(self->folder->name);
        while (self->open && (errno = 0, entry = readdir(self->open)) != NULL) {
            if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
                continue;
            self->item =
                look(dirfd(self->open), self->folder->name, entry->d_name);
            if (S_ISDIR(self->item->info.st_mode)) {
                self->item->next = self->folders;
                self->folders = self->item;
            } else if (S_ISREG(self->item->info.st_mode) || self->item->error) {
                async_yield();
            } else {
                free(self->item);
            }
        }
        self->item = self->folder;
        self->item->error = errno; /* opendir's, or else readdir's */
        if (self->open)
            closedir(self->open);
        if (self->item->error)
            async_yield();
        else
            free(self->item);
    }
    async_end();
}

/* Waits for what may never come: a pipe's next bytes. False: canceled. */
static int wait_for(struct async_job *job, int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};

    while (!async_job_canceled(job))
        if (poll(&readable, 1, 50) > 0)
            return 1;
    return 0;
}

/* The name in a list's line, unescaped; NULL if the line is malformed. */
static char *name_in(char *line)
{
    char *sum = line + (*line == '\\'), *from = sum + 66, *to = from;

    if (strspn(sum, "0123456789abcdefABCDEF") != 64 || sum[64] != ' ' ||
        (sum[65] != ' ' && sum[65] != '*') || *from == '\0')
        return NULL;
    for (; *from; from++, to++) {
        *to = *from;
        if (*from != '\\' || *line != '\\')
            continue;
        from++;
        *to = *from == 'n' ? '\n' : *from == 'r' ? '\r' : '\\';
        if (*to == '\\' && *from != '\\')
            return NULL;
    }
    *to = '\0';
    return sum + 66;
}

/* The files of a list. */
static async sums(struct source *self)
{
    ssize_t length;
    char *name;

    async_begin(self);
    while (wait_for(self->job, fileno(self->list)) &&
           (length = getline(&self->line, &self->room, self->list)) > 0) {
        length -= self->line[length - 1] == '\n';
        length -= length && self->line[length - 1] == '\r';
        self->line[length] = '\0';
        if (length == 0 || *self->line == '#')
            continue;
        name = name_in(self->line + strspn(self->line, " \t"));
        self->good += name != NULL;
        self->malformed += name == NULL;
        if (name) {
            self->item = look(AT_FDCWD, "", name);
            memcpy(self->item->expected, name - 66, 64);
            async_yield();
        }
    }
    async_end();
}

/* Job, the walker's: the next batch. */
static int list(struct async_job *job, void *arg)
{
    struct carrier *self = arg;
    struct source *source = &self->asum->source;
    long long bytes = 0;

    source->job = job;
    self->finished = 0;
    async_each(source, (source->list ? sums : files)(source)) {
        struct stat *info = &source->item->info;

        self->items[self->count++] = source->item;
        bytes += S_ISREG(info->st_mode) ? info->st_size : BYTES;
        if (self->count == FILES || bytes >= BYTES || async_job_canceled(job))
            break;
    }
    self->asum->found += self->count;
    return 0;
}

/* Job: how much there will be, for the bar. */
static int count(struct async_job *job, void *arg)
{
    struct asum *self = arg;

    async_each(&self->ahead, files(&self->ahead)) {
        self->total++;
        self->total_bytes += self->ahead.item->info.st_size;
        free(self->ahead.item);
        if (async_job_canceled(job))
            return 0;
    }
    self->counted = 1;
    return 0;
}

/* One file's sum. Returns 0, or an errno; ECANCELED: it was stopped. */
static int sum_up(struct async_job *job, struct carrier *self,
                  struct item *item, EVP_MD_CTX *context)
{
    unsigned char data[CHUNK];
    int i, ok, error = 0, fd = STDIN_FILENO;
    ssize_t got = 0;

    if (strcmp(item->name, "-") != 0)
        fd = open(item->name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno;
    ok = EVP_DigestInit_ex2(context, self->asum->sha256, NULL);
    do {
        if (S_ISREG(item->info.st_mode) ? async_job_canceled(job)
                                        : !wait_for(job, fd))
            error = ECANCELED;
        else if ((got = read(fd, data, sizeof data)) < 0)
            error = errno;
        else
            ok &= EVP_DigestUpdate(context, data, (size_t)got);
        self->at += error ? 0 : got;
        self->asum->bytes += error ? 0 : got;
    } while (ok && !error && got > 0);
    if (fd != STDIN_FILENO)
        close(fd);
    ok = ok && EVP_DigestFinal_ex(context, data, NULL);
    for (i = 0; i < 64; i++)
        item->sum[i] = "0123456789abcdef"[data[i / 2] >> (i % 2 ? 0 : 4) & 15];
    return ok ? error : EIO;
}

/* Job, the workers': hashes a batch. */
static int hash(struct async_job *job, void *arg)
{
    struct carrier *self = arg;
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    if (!context)
        return -ENOMEM;
    while (self->finished < self->count && !async_job_canceled(job)) {
        struct item *item = self->items[self->finished];

        self->at = 0;
        self->asum->started++;
        if (!item->error)
            item->error = sum_up(job, self, item, context);
        if (item->error == ECANCELED && async_job_canceled(job))
            break;
        self->finished++;
    }
    self->at = -1;
    EVP_MD_CTX_free(context);
    return 0;
}

/* A line as sha256sum writes it. */
static void put(struct asum *self, const struct item *item)
{
    int check = self->source.list != NULL;
    int differs = strncasecmp(item->sum, item->expected, 64) != 0;
    int escape = strpbrk(item->name, check ? "\n" : "\\\n\r") != NULL;
    const char *c;

    if ((errno = item->error) != 0) {
        fflush(self->out);
        fputs(self->erase, stderr);
        warn("%s", item->name);
        self->unread++;
        if (!check)
            return;
    }
    fprintf(self->out, "%s%.*s%s", escape ? "\\" : "", check ? 0 : 64,
            item->sum, check ? "" : "  ");
    for (c = item->name; *c; c++)
        if (escape && strchr("\\\n\r", *c))
            fputs(*c == '\n' ? "\\n" : *c == '\r' ? "\\r" : "\\\\", self->out);
        else
            putc(*c, self->out);
    self->differ += check && !item->error && differs;
    fputs(!check        ? "\n"
          : item->error ? ": FAILED open or read\n"
          : differs     ? ": FAILED\n"
                        : ": OK\n",
          self->out);
}

/* Job, the printer's: what is finished of a batch. */
static int print(struct async_job *job, void *arg)
{
    struct carrier *self = arg;
    FILE *out = self->asum->out;
    int i;

    (void)job;
    if (isatty(fileno(out)))
        fputs(self->asum->erase, stderr);
    for (i = 0; i < self->count; i++) {
        if (i < self->finished)
            put(self->asum, self->items[i]);
        free(self->items[i]);
    }
    self->asum->done += self->finished;
    self->count = 0;
    return fflush(out) || ferror(out) ? -(errno ? errno : EIO) : 0;
}

/* A batch's way: hashed by any worker, printed in turn. */
static async deliver(struct async_loop *loop, struct carrier *self)
{
    struct async_executor *executors = self->asum->executors;

    async_begin(&self->delivery);
    self->doing = "waits for a worker";
    await(async_offload(loop, &executors[HASH], &self->job, hash, self));
    async_finally(); /* canceled or not: what is finished is printed */
    self->doing = "waits for its turn to print";
    if (!self->asum->unordered)
        await(async_acquire(loop, &self->turn));
    self->doing = "prints";
    async_catch(self->status, async_offload(loop, &executors[PRINT], &self->job,
                                            print, self));
    async_release(loop, self->next);
    if (self->status < 0)
        async_fail(self->status);
    async_end();
}

/* A carrier's life. A write error ends them all. */
static async carry(struct async_loop *loop, void *frame)
{
    struct carrier *self = frame;

    async_begin(self);
    for (;;) {
        self->doing = "waits for names";
        await(async_offload(loop, &self->asum->executors[WALK], &self->job,
                            list, self));
        if (self->count == 0)
            async_return();
        self->delivery = (struct delivery){0};
        await(deliver(loop, self));
    }
    async_end();
}

/* What every task is doing, for SIGUSR1. */
static void report(struct asum *self)
{
    size_t i;

    for (i = 0; i < self->count; i++) {
        struct carrier *task = &self->carriers[i];
        int file = task->finished, busy = task->at >= 0 && file < task->count;

        fprintf(stderr, "%sasum: task %zu ", self->erase, i + 1);
        if (busy)
            fprintf(stderr, "hashes %s (%.1f of %.1f MiB)\n",
                    task->items[file]->name, (double)task->at / 1048576,
                    (double)task->items[file]->info.st_size / 1048576);
        else
            fprintf(stderr, "%s\n", task->doing);
    }
}

/* The bar, as wide as the terminal lets it be. */
static void draw(struct asum *self, async_time now)
{
    struct async_executor_counts work, print;
    double seconds = (double)(now - self->begun + 1) / ASYNC_TICK_HZ;
    double mb = 1e-6 * (double)self->bytes;
    double all = 1e-6 * (double)self->total_bytes, unit = all < 1e3 ? 1 : 1e3;
    double share = self->counted && all > mb ? mb / all : self->counted;
    long long found = self->found, total = self->total;
    const char *columns = getenv("COLUMNS"), *plain = getenv("NO_COLOR");
    struct winsize window = {0};
    char eta[32] = "", text[200], line[240];
    int width, bar;

    work = async_executor_count(&self->executors[HASH]);
    print = async_executor_count(&self->executors[PRINT]);
    if (print.queued + print.running)
        return; /* its lines may be on their way to the same terminal */
    ioctl(STDERR_FILENO, TIOCGWINSZ, &window);
    width = window.ws_col ? window.ws_col : columns ? atoi(columns) : 80;
    if (share > 0)
        snprintf(eta, sizeof eta, " ETA %.0fs", seconds / share - seconds);
    snprintf(text, sizeof text,
             "%.0f%% %lld/%lld files %.1f/%.1f %cB %.0f MB/s "
             "%u busy, %lld queued%s",
             100 * share, (long long)self->done, total > found ? total : found,
             mb / unit, all / unit, unit > 1 ? 'G' : 'M', mb / seconds,
             work.running, found - self->started, eta);
    bar = width - 5 - (int)strlen(text);
    bar = bar > 30 ? 30 : bar < 0 ? 0 : bar;
    snprintf(line, sizeof line, " [%-*.*s] %s", bar, (int)(bar * share),
             "##############################", text);
    fprintf(stderr, "%s%s%.*s%s", self->erase, plain ? "" : "\033[32m",
            width < 2 ? 0 : width - 1, line, plain ? "" : "\033[m");
}

/* Wakes up for signals, and ten times a second if there is a bar. */
static async attend(struct async_loop *loop, void *frame)
{
    struct attendant *self = frame;
    struct asum *asum = self->asum;

    async_begin(self);
    for (;;) {
        if (*asum->erase)
            draw(asum, async_now(loop));
        async_catch(self->status,
                    async_timeout(loop, &self->timer,
                                  *asum->erase ? 100 : INT32_MAX,
                                  async_flag_wait(loop, &signaled)));
        if (self->status == ASYNC_ECANCELED)
            async_return();
        if (interrupts)
            async_cancel(loop, asum->main);
        if (atomic_exchange(&reports, 0))
            report(asum);
    }
    async_finally();
    fputs(asum->erase, stderr);
    async_end();
}

/* The main task: starts the others, and sees them all end. */
static async run(struct async_loop *loop, void *frame)
{
    struct asum *self = frame;
    size_t i;

    async_begin(self);
    self->main = async_current(loop);
    self->begun = async_now(loop);
    for (i = 0; i < self->count; i++)
        async_spawn(loop, &self->tasks[i], carry, &self->carriers[i]);
    async_spawn(loop, &self->tasks[i], attend, &self->attendant);
    if (*self->erase)
        await(async_offload(loop, &self->executors[COUNT], &self->counting,
                            count, self));
    await(async_gather(loop, &self->gather, self->tasks, self->count));
    async_finally(); /* in the order in which they need each other */
    for (i = 0; i < self->count; i++)
        async_cancel(loop, &self->tasks[i]);
    self->gather.collect = 1;
    await(async_gather(loop, &self->gather, self->tasks, self->count));
    async_cancel(loop, &self->tasks[self->count]);
    await(async_gather(loop, &self->gather, &self->tasks[self->count], 1));
    async_end();
}

static void on_signal(int number)
{
    if (number == SIGUSR1)
        reports = 1;
    else if (interrupts++)
        _exit(130);
    async_flag_set(&asum_loop, &signaled);
}

static int usage(FILE *to, int status)
{
    fputs("usage: asum [-r] [-j N] [-o FILE] [--unordered] [FILE|DIR]...\n"
          "       asum -c SUMS [-j N] [-o FILE] [--unordered]\n"
          "SHA-256 sums, as sha256sum prints them. - or no FILE: its input.\n"
          "  -r           the files in DIR; not its links, pipes and devices\n"
          "  -c SUMS      check the sums in SUMS\n"
          "  -j N         N workers, 1 to 64; as many as there are cores\n"
          "  -o FILE      print to FILE\n"
          "  --unordered  print each sum as soon as it is known\n"
          "Exit: 0 all right, 1 something failed, 2 bad usage, 130 canceled\n",
          to);
    return status;
}

static void count_up(int n, const char *one, const char *many)
{
    if (n)
        warnx("WARNING: %d %s", n, n == 1 ? one : many);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"unordered", 0, NULL, 'u'},
                                            {"help", 0, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    static char *input[] = {"-", NULL}, *given[256];
    static struct asum asum;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct source *source = &asum.source;
    unsigned jobs = 0;
    struct stat info;
    int c, status;
    size_t i;

    while ((c = getopt_long(argc, argv, "rc:j:o:h", options, NULL)) != -1)
        given[c] = optarg ? optarg : "";
    if (given['j'] && (sscanf(given['j'], "%3u%c", &jobs, &(char){0}) != 1 ||
                       jobs < 1 || jobs > ASYNC_MAX_WORKERS)) {
        warnx("-j takes a number from 1 to %d", ASYNC_MAX_WORKERS);
        return usage(stderr, 2);
    }
    if (given['?'] || (given['c'] && (optind < argc || given['r'])))
        return usage(stderr, 2);
    if (given['h'])
        return usage(stdout, 0);
    asum.out = given['o'] ? fopen(given['o'], "w") : stdout;
    if (!asum.out)
        err(1, "%s", given['o']);
    if (given['c']) {
        source->list = strcmp(given['c'], "-") ? fopen(given['c'], "r") : stdin;
        if (!source->list || fstat(fileno(source->list), &info) < 0)
            err(1, "%s", given['c']);
        if (!S_ISREG(info.st_mode)) /* poll must see all that is not read yet */
            setvbuf(source->list, NULL, _IONBF, 0);
    }
    source->recursive = given['r'] != NULL;
    source->names = optind < argc ? argv + optind : input;
    asum.ahead = *source;
    asum.unordered = given['u'] != NULL;
    asum.erase = isatty(STDERR_FILENO) ? "\r\033[K" : "";
    asum.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    for (i = 0; i < EXECUTORS; i++)
        if (async_executor_start(&asum.executors[i], i == HASH ? jobs : 1,
                                 ASYNC_MAX_WORKERS * TASKS_A_WORKER) < 0)
            errx(1, "no executor");
    asum.count =
        async_executor_count(&asum.executors[HASH]).limit * TASKS_A_WORKER;
    asum.carriers = calloc(asum.count, sizeof *asum.carriers);
    asum.tasks = calloc(asum.count + 1, sizeof *asum.tasks);
    if (!asum.sha256 || !asum.carriers || !asum.tasks)
        errx(1, "not enough memory, or no SHA-256");
    for (i = 0; i < asum.count; i++) {
        asum.carriers[i].asum = &asum;
        asum.carriers[i].at = -1;
        asum.carriers[i].next = &asum.carriers[(i + 1) % asum.count].turn;
    }
    asum.carriers[0].turn.permits = 1;
    asum.attendant.asum = &asum;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    status = async_run(&asum_loop, run, &asum);
    for (i = 0; i < EXECUTORS; i++)
        async_executor_stop(&asum.executors[i], ASYNC_STOP_DRAIN);
    if (fclose(asum.out) != 0 && status > 0)
        status = -errno;
    if (status < 0 && status != ASYNC_ECANCELED)
        warnx("cannot go on: %s", async_strerror(status));
    if (interrupts)
        warnx("interrupted: %lld done, %lld stopped, %lld not started",
              (long long)asum.done, (long long)(asum.started - asum.done),
              (long long)(asum.found - asum.started));
    else if (given['c'] && !source->good && ++asum.unread)
        warnx("%s: no properly formatted checksum lines found", given['c']);
    else if (given['c']) {
        count_up(source->malformed, "line is improperly formatted",
                 "lines are improperly formatted");
        count_up(asum.unread, "listed file could not be read",
                 "listed files could not be read");
        count_up(asum.differ, "computed checksum did NOT match",
                 "computed checksums did NOT match");
    }
    return interrupts ? 130 : status < 0 || asum.unread || asum.differ;
}
