/* The floor of tests.bench.tick_to_order: two WebSocket streams and a warm order connection in one epoll loop, one
 * thread, blocking in epoll_wait. A frame is parsed far enough to see the trigger (the first bid has at least four times
 * the quantity of the first ask); then an HMAC-SHA256-signed order leaves in one write. No book, no limits, no journal.
 *
 *     rival_epoll PORT KEY SECRET [CERTIFICATE]      (the last with -DWITH_TLS only)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifdef WITH_TLS
#include <openssl/ssl.h>
#endif

#define BUFFER (1 << 18)

typedef struct {
    int fd;
    size_t have;
    unsigned char bytes[BUFFER];
#ifdef WITH_TLS
    SSL *tls;
#endif
} line;

typedef struct {
    uint32_t h[8];
} state;

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static const state START = {{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
                             0x5be0cd19}};

#define ROTATE(x, n) (((x) >> (n)) | ((x) << (32 - (n))))

static void block(state *s, const unsigned char *p) {
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = ROTATE(w[i - 15], 7) ^ ROTATE(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t b = ROTATE(w[i - 2], 17) ^ ROTATE(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    memcpy(v, s->h, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t e = ROTATE(v[4], 6) ^ ROTATE(v[4], 11) ^ ROTATE(v[4], 25);
        uint32_t t = v[7] + e + ((v[4] & v[5]) ^ (~v[4] & v[6])) + K[i] + w[i];
        uint32_t a = ROTATE(v[0], 2) ^ ROTATE(v[0], 13) ^ ROTATE(v[0], 22);
        uint32_t u = a + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t;
        v[0] = t + u;
    }
    for (int i = 0; i < 8; i++) s->h[i] += v[i];
}

/* The hash of what follows `before` bytes that `s` has taken already. */
static void finish(state s, uint64_t before, const unsigned char *p, size_t n, unsigned char *out) {
    unsigned char tail[128] = {0};
    uint64_t bits = (before + n) * 8;
    while (n >= 64) {
        block(&s, p);
        p += 64;
        n -= 64;
    }
    memcpy(tail, p, n);
    tail[n] = 0x80;
    size_t size = n < 56 ? 64 : 128;
    for (int i = 0; i < 8; i++) tail[size - 1 - i] = (unsigned char)(bits >> (8 * i));
    for (size_t at = 0; at < size; at += 64) block(&s, tail + at);
    for (int i = 0; i < 32; i++) out[i] = (unsigned char)(s.h[i / 4] >> (24 - 8 * (i % 4)));
}

static state inner, outer;

static void keyed(const char *secret) {
    unsigned char pad[64] = {0};
    size_t n = strlen(secret);
    if (n > 64) exit(3);
    memcpy(pad, secret, n);
    for (int i = 0; i < 64; i++) pad[i] ^= 0x36;
    inner = START;
    block(&inner, pad);
    for (int i = 0; i < 64; i++) pad[i] ^= 0x36 ^ 0x5c;
    outer = START;
    block(&outer, pad);
}

static void sign(const char *text, size_t n, char *hex) {
    unsigned char digest[32];
    finish(inner, 64, (const unsigned char *)text, n, digest);
    finish(outer, 64, digest, 32, digest);
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
}

static ssize_t get(line *one) {
#ifdef WITH_TLS
    if (one->tls) {
        int n = SSL_read(one->tls, one->bytes + one->have, (int)(BUFFER - one->have));
        if (n > 0) return n;
        return SSL_get_error(one->tls, n) == SSL_ERROR_WANT_READ ? -1 : 0;
    }
#endif
    ssize_t n = recv(one->fd, one->bytes + one->have, BUFFER - one->have, 0);
    return n < 0 && errno != EAGAIN ? 0 : n;
}

static void put(line *one, const char *bytes, size_t n) {
#ifdef WITH_TLS
    if (one->tls) {
        if (SSL_write(one->tls, bytes, (int)n) != (int)n) exit(4);
        return;
    }
#endif
    if (send(one->fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n) exit(4);
}

static void connected(line *one, int port, const char *certificate) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int yes = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    one->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(one->fd, (struct sockaddr *)&to, sizeof to)) exit(5);
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
#ifdef WITH_TLS
    if (certificate) {
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        if (!SSL_CTX_load_verify_locations(context, certificate, NULL)) exit(6);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
        one->tls = SSL_new(context);
        SSL_set_fd(one->tls, one->fd);
        if (SSL_connect(one->tls) != 1) exit(6);
    }
#else
    if (certificate) exit(7);
#endif
}

static void upgraded(line *one, const char *path) {
    char request[512];
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                     path);
    put(one, request, (size_t)n);
    while (!memmem(one->bytes, one->have, "\r\n\r\n", 4)) {
        ssize_t got = get(one);
        if (got <= 0) exit(8);
        one->have += (size_t)got;
    }
    unsigned char *end = memmem(one->bytes, one->have, "\r\n\r\n", 4);
    size_t used = (size_t)(end + 4 - one->bytes);
    memmove(one->bytes, one->bytes + used, one->have - used);
    one->have -= used;
}

static line streams[2], orders;
static const char *key;
static int sent;

static void order(void) {
    char body[512], request[1024], hex[65] = {0};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int n = snprintf(body, sizeof body,
                     "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.010&newClientOrderId=floor%06d"
                     "&newOrderRespType=ACK&recvWindow=1000&timestamp=%lld",
                     ++sent, (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    sign(body, (size_t)n, hex);
    int size = snprintf(request, sizeof request,
                        "POST /fapi/v1/order HTTP/1.1\r\nHost: localhost\r\nX-MBX-APIKEY: %s\r\n"
                        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s&signature=%s",
                        key, n + 75, body, hex);
    put(&orders, request, (size_t)size);
}

/* Thousandths of the first quantity of the side that begins at `p`. */
static long first(const unsigned char *p, const unsigned char *end) {
    int quotes = 0;
    long value = 0;
    for (; p < end && quotes < 4; p++) {
        if (*p == '"') quotes++;
        else if (quotes == 3 && *p != '.') value = value * 10 + (*p - '0');
    }
    return value;
}

static void frame(const unsigned char *p, size_t n) {
    static const char DEPTH[] = "\"e\":\"depthUpdate\"";
    if (n < 60 || !memmem(p, 80 < n ? 80 : n, DEPTH, sizeof DEPTH - 1)) return;
    const unsigned char *end = p + n, *bids = memmem(p, n, "\"b\":[[", 6);
    if (!bids) return;
    const unsigned char *asks = memmem(bids, (size_t)(end - bids), "\"a\":[[", 6);
    if (!asks) return;
    long bid = first(bids + 6, end), ask = first(asks + 6, end);
    if (ask > 0 && bid >= 4 * ask) order();
}

static void heard(line *one) {
    size_t at = 0;
    while (one->have - at >= 2) {
        unsigned char *p = one->bytes + at;
        size_t head = 2, size = p[1] & 127;
        if (size == 126) {
            if (one->have - at < 4) break;
            size = (size_t)p[2] << 8 | p[3];
            head = 4;
        } else if (size == 127) exit(9);
        if (one->have - at < head + size) break;
        if ((p[0] & 15) == 1) frame(p + head, size);
        at += head + size;
    }
    memmove(one->bytes, one->bytes + at, one->have - at);
    one->have -= at;
}

int main(int count, char **given) {
    if (count < 4) return 2;
    int port = atoi(given[1]), set = epoll_create1(0);
    const char *certificate = count > 4 ? given[4] : NULL;
    line *lines[3] = {&streams[0], &streams[1], &orders};
    key = given[2];
    keyed(given[3]);
    for (int i = 0; i < 3; i++) {
        connected(lines[i], port, certificate);
        if (i < 2) upgraded(lines[i], i ? "/market/stream" : "/public/stream");
        fcntl(lines[i]->fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = lines[i]}};
        epoll_ctl(set, EPOLL_CTL_ADD, lines[i]->fd, &event);
    }
    puts("{\"ready\": true}");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[4];
        int n = epoll_wait(set, events, 4, -1);
        for (int i = 0; i < n; i++) {
            line *one = events[i].data.ptr;
            ssize_t got;
            while ((got = get(one)) > 0) {
                one->have += (size_t)got;
                if (one == &orders) one->have = 0;
                else heard(one);
            }
            if (got == 0) return 0;
        }
    }
}
