// Bytes: a view of bytes together with whatever keeps them alive.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace mainstem {

/// Immutable bytes, shared, never copied when passed on. Thread-safe as any immutable value is.
class Bytes {
 public:
  Bytes() = default;
  /// Borrows `view`; `owner` keeps it alive (null where the caller guarantees the lifetime).
  Bytes(std::string_view view, std::shared_ptr<const void> owner) : view_(view), owner_(std::move(owner)) {}

  /// Takes over a string.
  static Bytes Own(std::string text) {
    auto owner = std::make_shared<const std::string>(std::move(text));
    const std::string_view view = *owner;
    return Bytes(view, std::move(owner));
  }

  std::string_view view() const { return view_; }
  std::span<const uint8_t> span() const { return {data(), size()}; }
  const uint8_t* data() const { return reinterpret_cast<const uint8_t*>(view_.data()); }
  size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

  /// Returns a part that shares the owner.
  Bytes Slice(size_t offset, size_t length) const { return Bytes(view_.substr(offset, length), owner_); }

 private:
  std::string_view view_;
  std::shared_ptr<const void> owner_;
};

}  // namespace mainstem
