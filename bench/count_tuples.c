/* The least that any reader does: count packets and octets per connection, in one pass with libpcap.
 *
 *     cc -O2 -o count_tuples count_tuples.c -lpcap && ./count_tuples CAPTURE
 *
 * Ethernet with VLAN tags, IPv4 and IPv6 without extension headers, TCP.  An open-addressing table that doubles.
 */
#include <pcap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct key { /* the lower end first, so that both directions meet */
    uint8_t address[2][16];
    uint16_t port[2];
};

struct flow {
    struct key key;
    uint32_t packets; /* 0: a free place */
    uint64_t octets;
};

static struct flow *table;
static size_t places = 1 << 12, used;

static uint64_t mixed(const struct key *key) {
    const uint8_t *bytes = (const uint8_t *)key;
    uint64_t hash = 0, word;
    uint32_t ports;
    for (size_t at = 0; at < 32; at += 8) {
        memcpy(&word, bytes + at, 8);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    memcpy(&ports, bytes + 32, 4);
    hash = (hash ^ ports) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 32;
}

static struct flow *place_of(const struct key *key) {
    size_t at = mixed(key) & (places - 1);
    while (table[at].packets && memcmp(&table[at].key, key, sizeof *key))
        at = (at + 1) & (places - 1);
    return &table[at];
}

static struct flow *allocated(size_t number) {
    struct flow *fresh = calloc(number, sizeof *fresh);
    if (!fresh) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return fresh;
}

static void double_table(void) {
    struct flow *old = table;
    size_t number = places;
    places *= 2;
    table = allocated(places);
    for (size_t at = 0; at < number; at++)
        if (old[at].packets)
            *place_of(&old[at].key) = old[at];
    free(old);
}

static unsigned be16(const uint8_t *at) { return at[0] << 8 | at[1]; }

static void add(const uint8_t *from, const uint8_t *to, size_t length, const uint8_t *ports, unsigned octets) {
    struct key key = {0};
    int order = memcmp(from, to, length);
    int swap = order ? order > 0 : memcmp(ports, ports + 2, 2) > 0;
    memcpy(key.address[swap], from, length);
    memcpy(key.address[!swap], to, length);
    memcpy(&key.port[swap], ports, 2);
    memcpy(&key.port[!swap], ports + 2, 2);
    struct flow *flow = place_of(&key);
    if (!flow->packets++) {
        flow->key = key;
        used++;
    }
    flow->octets += octets;
    if (used * 2 > places)
        double_table();
}

static int count(const uint8_t *frame, size_t size) {
    size_t at = 14;
    if (size < at + 40)
        return 0;
    unsigned type = be16(frame + 12);
    for (; type == 0x8100 && at + 44 < size; at += 4)
        type = be16(frame + at + 2);
    const uint8_t *ip = frame + at;
    if (type == 0x0800 && ip[9] == 6) {
        size_t header = (ip[0] & 15) * 4;
        if (at + header + 20 > size)
            return 0;
        add(ip + 12, ip + 16, 4, ip + header, be16(ip + 2) - header - (ip[header + 12] >> 4) * 4);
        return 1;
    }
    if (type == 0x86DD && ip[6] == 6 && at + 60 <= size) {
        add(ip + 8, ip + 24, 16, ip + 40, be16(ip + 4) - (ip[52] >> 4) * 4);
        return 1;
    }
    return 0;
}

int main(int arguments, char **argument) {
    char error[PCAP_ERRBUF_SIZE];
    pcap_t *capture = arguments == 2 ? pcap_open_offline(argument[1], error) : NULL;
    if (!capture) {
        fprintf(stderr, "%s\n", arguments == 2 ? error : "usage: count_tuples CAPTURE");
        return 1;
    }
    struct pcap_pkthdr *header;
    const u_char *frame;
    unsigned long packets = 0, segments = 0;
    table = allocated(places);
    for (; pcap_next_ex(capture, &header, &frame) == 1; packets++)
        segments += count(frame, header->caplen);
    printf("%lu packets, %lu segments, %zu tuples\n", packets, segments, used);
    return 0;
}
