#include "mainstem/connectors/fetch/address_policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace mainstem {
namespace {

struct Range4 {
  uint32_t address;
  int bits;
};

constexpr uint32_t Address4(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

// https://www.iana.org/assignments/iana-ipv4-special-registry, and multicast.
constexpr std::array kPrivate4 = {
    Range4{Address4(0, 0, 0, 0), 8},       // this network
    Range4{Address4(10, 0, 0, 0), 8},      // private
    Range4{Address4(100, 64, 0, 0), 10},   // carrier-grade NAT; cloud metadata at some providers
    Range4{Address4(127, 0, 0, 0), 8},     // loopback
    Range4{Address4(169, 254, 0, 0), 16},  // link-local; cloud metadata at most providers
    Range4{Address4(172, 16, 0, 0), 12},   // private
    Range4{Address4(192, 0, 0, 0), 24},    // protocol assignments
    Range4{Address4(192, 0, 2, 0), 24},    // documentation
    Range4{Address4(192, 88, 99, 0), 24},  // 6to4 relays, withdrawn
    Range4{Address4(192, 168, 0, 0), 16},  // private
    Range4{Address4(198, 18, 0, 0), 15},   // benchmarks
    Range4{Address4(198, 51, 100, 0), 24}, // documentation
    Range4{Address4(203, 0, 113, 0), 24},  // documentation
    Range4{Address4(224, 0, 0, 0), 3},     // multicast, reserved, broadcast
};

bool IsPrivate4(uint32_t address) {
  for (const Range4& range : kPrivate4) {
    const uint32_t mask = ~uint32_t{0} << (32 - range.bits);
    if ((address & mask) == range.address) return true;
  }
  return false;
}

using Address6 = std::array<uint8_t, 16>;

uint32_t Inner4(const Address6& address, size_t at) {
  return Address4(address[at], address[at + 1], address[at + 2], address[at + 3]);
}

bool Begins(const Address6& address, std::initializer_list<uint8_t> prefix) {
  size_t i = 0;
  for (const uint8_t byte : prefix) {
    if (address[i++] != byte) return false;
  }
  return true;
}

// https://www.iana.org/assignments/iana-ipv6-special-registry
bool IsPrivate6(const Address6& address) {
  if (Begins(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF})) return IsPrivate4(Inner4(address, 12));  // mapped
  if (Begins(address, {0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) return IsPrivate4(Inner4(address, 12));  // NAT64
  if (Begins(address, {0x20, 0x02})) return IsPrivate4(Inner4(address, 2));                                // 6to4
  if ((address[0] & 0xE0) != 0x20) return true;                // only 2000::/3 is global unicast
  if (Begins(address, {0x20, 0x01}) && address[2] < 2) return true;   // 2001::/23: Teredo, ORCHID, assignments
  if (Begins(address, {0x20, 0x01, 0x0D, 0xB8})) return true;  // documentation
  return Begins(address, {0x3F, 0xFF}) && address[2] < 0x10;   // 3fff::/20: documentation
}

}  // namespace

bool IsPrivateAddress(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &address, sizeof in);
    return IsPrivate4(ntohl(in.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, &address, sizeof in);
    Address6 bytes;
    std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
    return IsPrivate6(bytes);
  }
  return true;
}

std::string AddressText(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (address.sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &address, sizeof in);
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
  } else if (address.sa_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, &address, sizeof in);
    inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof text);
  }
  return text;
}

}  // namespace mainstem
