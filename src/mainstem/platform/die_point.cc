#include "mainstem/platform/die_point.h"

#include <csignal>
#include <cstdlib>

#include <atomic>
#include <charconv>
#include <string>

namespace mainstem {
namespace {

struct Wanted {
  std::string point;
  int passing = 1;
};

Wanted ReadWanted() {
  const char* const text = std::getenv("MAINSTEM_DIE_AT");
  if (text == nullptr) return {};
  Wanted wanted{.point = text};
  if (const size_t colon = wanted.point.find(':'); colon != std::string::npos) {
    std::from_chars(wanted.point.data() + colon + 1, wanted.point.data() + wanted.point.size(), wanted.passing);
    wanted.point.resize(colon);
  }
  return wanted;
}

}  // namespace

void DiePoint(std::string_view name) {
  static const Wanted& wanted = *new Wanted(ReadWanted());
  static std::atomic<int> passed{0};
  if (wanted.point.empty() || wanted.point != name) return;
  if (++passed == wanted.passing) std::raise(SIGKILL);
}

}  // namespace mainstem
