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
    int error; /* an errno */
    char sum[64], expected[64], name[]; /* expected: by the list, with -c */
};

struct source { /* a generator of items: of a tree, or of a list with -c */
    struct async_frame async;
    struct async_job *job;
    struct item *item, *folders, *folder; /* to be read later; being read */
    DIR *open;
    char **names, *line; /* on the command line; of the list */
    size_t room;
    FILE *list;
    int recursive, blocks, good, malformed;
};

struct asum { /* the program */
    struct async_frame async;
    struct attendant {
        struct async_frame async;
        struct async_timer timer;
        struct asum *asum;
        int status;
    } attendant;
    struct async_executor executors[EXECUTORS];
    struct async_task *main, *tasks; /* the carriers', then the attendant's */
    struct async_batch gather;
    struct async_job job;
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

struct carrier { /* a task: batch after batch, from executor to executor */
    struct async_frame async;
    struct delivery {
        struct async_frame async;
    } delivery;
    struct asum *asum;
    struct carrier *next;        /* the one that prints after it */
    struct async_semaphore turn; /* to print */
    struct async_job job;
    const char *doing;
    struct item *items[FILES];
    int count, status;
    atomic_int finished; /* so many are hashed */
    atomic_llong at;     /* how far in the next one; -1: none has begun */
};

static struct async_loop asum_loop; /* what a signal handler needs */
static struct async_flag signaled;
static atomic_int interrupts;

/* ---- the walker's thread --------------------------------------------------- */

/* Links are followed on the command line, and not in a folder. */
static struct item *look(int at, const char *folder, const char *name)
{
    size_t length = strlen(folder), size = length + strlen(name) + 2;
    struct item *item = calloc(1, sizeof *item + size);

    if (!item)
        abort();
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
        self->folder = self->item = self->folders;
        if (self->item)
            self->folders = self->item->next;
        else
            self->folder = self->item = look(AT_FDCWD, "", *self->names++);
        self->open = NULL;
        if (self->recursive && S_ISDIR(self->item->info.st_mode) &&
            !(self->open = opendir(self->item->name)))
            self->item->error = errno;
        if (!self->open) {
            async_yield();
            continue;
        }
        while ((entry = readdir(self->open)) != NULL) {
            if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
                continue;
            self->item = look(dirfd(self->open), self->folder->name,
                              entry->d_name);
            if (S_ISDIR(self->item->info.st_mode)) {
                self->item->next = self->folders;
                self->folders = self->item;
            } else if (S_ISREG(self->item->info.st_mode) || self->item->error) {
                async_yield();
            } else {
                free(self->item);
            }
        }
        closedir(self->open);
        free(self->folder);
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

/* The name in a list's line, unescaped; NULL if there is none. */
static char *name_in(char *sum, int escaped)
{
    char *from = sum + 66, *to = from;

    if (strspn(sum, "0123456789abcdefABCDEF") != 64 || sum[64] != ' ' ||
        (sum[65] != ' ' && sum[65] != '*') || *from == '\0')
        return NULL;
    for (; *from; from++, to++) {
        *to = *from;
        if (!escaped || *from != '\\')
            continue;
        from++;
        *to = *from == 'n' ? '\n' : *from == 'r' ? '\r' : *from;
        if (*from == '\0' || !strchr("nr\\", *from))
            return NULL;
    }
    *to = '\0';
    return sum + 66;
}

/* The files that a list names. */
static async sums(struct source *self)
{
    ssize_t length;
    char *sum, *name;

    async_begin(self);
    while ((!self->blocks || wait_for(self->job, fileno(self->list))) &&
           (length = getline(&self->line, &self->room, self->list)) > 0) {
        length -= self->line[length - 1] == '\n';
        length -= length && self->line[length - 1] == '\r';
        self->line[length] = '\0';
        if (length == 0 || *self->line == '#')
            continue;
        sum = self->line + strspn(self->line, " \t");
        name = name_in(sum + (*sum == '\\'), *sum == '\\');
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

/* Job: the next batch. */
static int list(struct async_job *job, void *arg)
{
    struct carrier *self = arg;
    struct source *source = &self->asum->source;
    long long bytes = 0;

    source->job = job;
    self->finished = 0;
    self->at = -1;
    async_each(source, (source->list ? sums : files)(source)) {
        self->items[self->count++] = source->item;
        bytes += S_ISREG(source->item->info.st_mode)
                     ? source->item->info.st_size
                     : BYTES;
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

/* ---- the workers' threads ---------------------------------------------------- */

/* Returns 0, or an errno. */
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
        self->at += got;
        self->asum->bytes += got;
    } while (ok && !error && got > 0);
    if (fd != STDIN_FILENO)
        close(fd);
    ok = ok && EVP_DigestFinal_ex(context, data, NULL);
    for (i = 0; i < 64; i++)
        item->sum[i] = "0123456789abcdef"[data[i / 2] >> (i % 2 ? 0 : 4) & 15];
    return ok ? error : EIO;
}

/* Job: hashes a batch. */
static int hash(struct async_job *job, void *arg)
{
    struct carrier *self = arg;
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    while (self->finished < self->count && !async_job_canceled(job)) {
        struct item *item = self->items[self->finished];

        self->at = 0;
        self->asum->started++;
        if (!item->error)
            item->error = sum_up(job, self, item, context);
        if (item->error != ECANCELED)
            self->finished++;
    }
    EVP_MD_CTX_free(context);
    return 0;
}

/* ---- the printer's thread ------------------------------------------------------ */

static void put(struct asum *self, const struct item *item)
{
    int check = self->source.list != NULL;
    int differs = strncasecmp(item->sum, item->expected, 64) != 0;
    int escape = strpbrk(item->name, check ? "\n" : "\\\n\r") != NULL;
    const char *c;

    if (item->error) {
        fflush(self->out);
        fprintf(stderr, "%sasum: %s: %s\n", self->erase, item->name,
                strerror(item->error));
        self->unread++;
    }
    if (item->error && !check)
        return;
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

/* Job: prints what is finished of a batch. */
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

/* ---- the loop's thread: tasks ----------------------------------------------------- */

static async deliver(struct async_loop *loop, struct carrier *self)
{
    struct async_executor *executors = self->asum->executors;

    async_begin(&self->delivery);
    self->doing = "hashes";
    await(async_offload(loop, &executors[HASH], &self->job, hash, self));
    async_finally(); /* canceled or not: what is finished is printed */
    self->doing = "waits for its turn to print";
    if (!self->asum->unordered)
        await(async_acquire(loop, &self->turn));
    self->doing = "prints";
    async_catch(self->status, async_offload(loop, &executors[PRINT], &self->job,
                                            print, self));
    async_release(loop, &self->next->turn);
    if (self->status < 0)
        async_fail(self->status);
    async_end();
}

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

static void report(struct asum *self)
{
    size_t i;

    for (i = 0; i < self->count; i++) {
        struct carrier *task = &self->carriers[i];

        fprintf(stderr, "%sasum: task %zu %s", self->erase, i + 1, task->doing);
        if (!strcmp(task->doing, "hashes") && task->finished < task->count)
            fprintf(stderr, " %s (%.1f of %.1f MiB)",
                    task->items[task->finished]->name,
                    (double)task->at / (1 << 20),
                    (double)task->items[task->finished]->info.st_size / (1 << 20));
        fputs("\n", stderr);
    }
}

static void draw(struct asum *self, async_time now)
{
    static const char hashes[] = "########################", dashes[] = "------------------------";
    struct async_executor_counts work, print;
    struct winsize window = {0};
    const char *columns = getenv("COLUMNS"), *color = getenv("NO_COLOR");
    double bytes = (double)self->bytes, all = (double)self->total_bytes + 1, seconds = (double)(now - self->begun + 1) / ASYNC_TICK_HZ;
    int n = bytes < all ? (int)(24 * bytes / all) : 24;
    char line[200], eta[32] = "";

    work = async_executor_count(&self->executors[HASH]);
    print = async_executor_count(&self->executors[PRINT]);
    if (print.queued + print.running)
        return; /* it may be about to use the terminal */
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) < 0 || !window.ws_col)
        window.ws_col = columns ? atoi(columns) : 80;
    if (self->counted && bytes > 0)
        snprintf(eta, sizeof eta, "   ETA %.0f s", (all - bytes) * seconds / bytes);
    snprintf(line, sizeof line,
             " hashing  [%.*s%.*s] %3.0f%%   %lld/%lld files   %.1f/%.1f MB   %.0f MB/s   %u busy, %lld queued%s",
             n, hashes, 24 - n, dashes, n / .24, (long long)self->done, (long long)(self->total > self->found ? self->total : self->found), bytes / 1e6, all / 1e6, bytes / 1e6 / seconds,
             work.running, (long long)(self->found - self->started), eta);
    fprintf(stderr, "\r%s%.*s%s\033[K", color ? "" : "\033[32m", window.ws_col - 1, line, color ? "" : "\033[m");
}

/* Looks after the signals, and after the bar. */
static async attend(struct async_loop *loop, void *frame)
{
    struct attendant *self = frame;

    async_begin(self);
    while (!interrupts) {
        if (*self->asum->erase)
            draw(self->asum, async_now(loop));
        async_catch(self->status,
                    async_timeout(loop, &self->timer, *self->asum->erase ? 100 : INT32_MAX, async_flag_wait(loop, &signaled)));
        if (self->status == ASYNC_ECANCELED)
            async_return();
        if (self->status == ASYNC_DONE && !interrupts)
            report(self->asum);
    }
    async_cancel(loop, self->asum->main);
    async_finally();
    fputs(self->asum->erase, stderr);
    async_end();
}

static async run(struct async_loop *loop, void *frame)
{
    struct asum *self = frame;
    size_t i;

    async_begin(self);
    self->main = async_current(loop);
    self->begun = async_now(loop);
    self->attendant.asum = self;
    for (i = 0; i < self->count; i++)
        async_spawn(loop, &self->tasks[i], carry, &self->carriers[i]);
    async_spawn(loop, &self->tasks[i], attend, &self->attendant);
    if (*self->erase)
        await(async_offload(loop, &self->executors[COUNT], &self->job, count, self));
    await(async_gather(loop, &self->gather, self->tasks, self->count));
    async_finally();
    for (i = 0; i <= self->count; i++)
        async_cancel(loop, &self->tasks[i]);
    self->gather.collect = 1;
    await(async_gather(loop, &self->gather, self->tasks, self->count + 1));
    async_end();
}

/* ---- the program -------------------------------------------------------------------- */

static void on_signal(int number)
{
    if (number != SIGUSR1 && interrupts++)
        _exit(130);
    async_flag_set(&asum_loop, &signaled);
}

static int usage(FILE *to, int status)
{
    fputs("usage: asum [-r] [-j N] [-o FILE] [--unordered] [FILE|DIR]...\n"
          "       asum -c SUMS [-j N] [-o FILE] [--unordered]\n"
          "SHA-256 sums, as sha256sum prints them. - or no FILE: standard input.\n"
          "  -r           the files in DIR; not its links, pipes and devices\n"
          "  -c SUMS      check the sums in SUMS\n"
          "  -j N         N workers, 1 to 64; as many as there are cores\n"
          "  -o FILE      print to FILE\n"
          "  --unordered  print each sum as soon as it is known\n"
          "Exit: 0 all right, 1 something failed, 2 bad usage, 130 interrupted\n",
          to);
    return status;
}

static int complain(const char *name)
{
    fprintf(stderr, "asum: %s: %s\n", name, strerror(errno));
    return 1;
}

static void warn(int n, const char *one, const char *many)
{
    if (n)
        fprintf(stderr, "asum: WARNING: %d %s\n", n, n == 1 ? one : many);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"unordered", 0, NULL, 'u'}, {"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
    static const int signals[] = {SIGINT, SIGTERM, SIGUSR1};
    static char *standard_input[] = {"-", NULL};
    static struct asum asum;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct source *source = &asum.source;
    char *given[128] = {NULL}, *end = "";
    struct stat info;
    long jobs = 0;
    int c, status;
    size_t i;

    while ((c = getopt_long(argc, argv, "rc:j:o:h", options, NULL)) != -1)
        given[c] = optarg ? optarg : "";
    if (given['j'])
        jobs = strtol(given['j'], &end, 10);
    if (given['j'] && (*end || jobs < 1 || jobs > ASYNC_MAX_WORKERS))
        fprintf(stderr, "asum: not a number of workers: %s\n", given['j']), given['?'] = "";
    if (given['h'])
        return usage(stdout, 0);
    if (given['?'] || (given['c'] && (optind < argc || given['r'])))
        return usage(stderr, 2);
    asum.out = given['o'] ? fopen(given['o'], "w") : stdout;
    if (!asum.out)
        return complain(given['o']);
    if (given['c']) {
        source->list = strcmp(given['c'], "-") ? fopen(given['c'], "r") : stdin;
        if (!source->list)
            return complain(given['c']);
        source->blocks = fstat(fileno(source->list), &info) < 0 || !S_ISREG(info.st_mode);
        if (source->blocks) /* poll must see what is not read yet */
            setvbuf(source->list, NULL, _IONBF, 0);
    }
    source->recursive = given['r'] != NULL;
    source->names = optind < argc ? argv + optind : standard_input;
    asum.ahead = asum.source;
    asum.unordered = given['u'] != NULL;
    asum.erase = isatty(STDERR_FILENO) ? "\r\033[K" : "";
    asum.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    for (i = 0; i < EXECUTORS; i++)
        if (async_executor_start(&asum.executors[i], i == HASH ? (unsigned)jobs : 1, 64 * 8) < 0) ;
    asum.count = async_executor_count(&asum.executors[HASH]).limit * TASKS_A_WORKER;
    asum.carriers = calloc(asum.count, sizeof *asum.carriers);
    asum.tasks = calloc(asum.count + 1, sizeof *asum.tasks);
    if (!asum.sha256 || !asum.carriers || !asum.tasks)
        return complain("cannot start");
    for (i = 0; i < asum.count; i++) {
        asum.carriers[i].asum = &asum;
        asum.carriers[i].next = &asum.carriers[(i + 1) % asum.count];
    }
    asum.carriers[0].turn.permits = 1;
    for (i = 0; i < 3; i++)
        sigaction(signals[i], &action, NULL);
    status = async_run(&asum_loop, run, &asum);
    for (i = 0; i < EXECUTORS; i++)
        async_executor_stop(&asum.executors[i], ASYNC_STOP_DRAIN);
    if (status < 0 && status != ASYNC_ECANCELED)
        fprintf(stderr, "asum: write error: %s\n", async_strerror(status));
    if (interrupts)
        fprintf(stderr, "asum: interrupted: %lld done, %lld stopped, %lld not started\n",
                (long long)asum.done, (long long)(asum.started - asum.done), (long long)(asum.found - asum.started));
    if (source->list && !source->good && !interrupts)
        fprintf(stderr, "asum: %s: no properly formatted checksum lines found\n", given['c']);
    else if (source->list) {
        warn(source->malformed, "line is improperly formatted", "lines are improperly formatted");
        warn(asum.unread, "listed file could not be read", "listed files could not be read");
        warn(asum.differ, "computed checksum did NOT match", "computed checksums did NOT match");
    }
    return interrupts ? 130 : status < 0 || asum.unread || asum.differ || (source->list && !source->good);
}
