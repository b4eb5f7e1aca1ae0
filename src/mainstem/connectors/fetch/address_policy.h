// Address policy: which network addresses a fetch may connect to.
#pragma once

#include <string>

struct sockaddr;

namespace mainstem {

/// Says whether an address is meant for this machine, a private network or something special, so that a url from
/// outside has no business there: everything that the IANA special-purpose registries do not call globally
/// reachable (RFC 6890), IPv4 addresses inside IPv6 ones (mapped, 6to4, NAT64) by what they carry. An address of
/// another family counts as private.
bool IsPrivateAddress(const sockaddr& address);

/// "127.0.0.1" or "::1".
std::string AddressText(const sockaddr& address);

}  // namespace mainstem
