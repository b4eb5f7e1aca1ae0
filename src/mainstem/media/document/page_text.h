// PDFium's page text as Mainstem's: UTF-16 to UTF-8.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace mainstem::document {

/// Converts UTF-16 code units: lone surrogates become U+FFFD, "\r\n" and "\r" become "\n". NULs are dropped, and so
/// is U+FFFE, which PDFium writes for them and in place of a hyphen and line break within a word: "exam-", "ple"
/// become "example".
std::string ToUtf8(std::span<const uint16_t> units);

}  // namespace mainstem::document
