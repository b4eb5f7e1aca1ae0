#include "mainstem/functions/vector/hash.h"

#include <cstring>

namespace mainstem {
namespace {

// FNV-1a, 64 bits (Fowler, Noll, Vo; IETF draft-eastlake-fnv), closed by MurmurHash3's 64-bit finaliser so that
// low bits are usable for partitioning.
class Fnv {
 public:
  void Add(const void* data, size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (size_t i = 0; i < size; ++i) state_ = (state_ ^ bytes[i]) * 0x100000001b3ULL;
  }
  template <typename T>
  void AddNumber(T number) {
    Add(&number, sizeof number);
  }
  int64_t Finish() const {
    uint64_t h = state_;
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdULL;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return static_cast<int64_t>(h ^ (h >> 33));
  }

 private:
  uint64_t state_ = 0xcbf29ce484222325ULL;
};

void AddValue(const Value& value, Fnv* hash) {
  hash->AddNumber(static_cast<uint8_t>(value.variant().index()));
  if (value.Is<bool>()) hash->AddNumber(static_cast<uint8_t>(value.As<bool>()));
  if (value.Is<int64_t>()) hash->AddNumber(value.As<int64_t>());
  if (value.Is<double>()) hash->AddNumber(value.As<double>());
  if (value.Is<Bytes>()) {
    hash->AddNumber(value.As<Bytes>().size());
    hash->Add(value.As<Bytes>().data(), value.As<Bytes>().size());
  }
  if (value.Is<Image>()) {
    const Image& image = value.As<Image>();
    hash->AddNumber(image.height);
    hash->AddNumber(image.width);
    hash->AddNumber(image.mode);
    hash->Add(image.data(), static_cast<size_t>(image.size_bytes()));
  }
  if (value.Is<Waveform>()) {
    const Waveform& sound = value.As<Waveform>();
    hash->AddNumber(sound.sample_rate);
    hash->AddNumber(sound.channels);
    hash->Add(sound.data(), static_cast<size_t>(sound.frames * sound.channels) * sizeof(float));
  }
  if (value.Is<Tensor>()) {
    const Tensor& tensor = value.As<Tensor>();
    for (const int64_t side : tensor.shape) hash->AddNumber(side);
    hash->Add(tensor.values->data(), static_cast<size_t>(tensor.values->size()));
  }
  if (value.Is<MediaClip>()) {
    const MediaClip& clip = value.As<MediaClip>();
    hash->Add(clip.uri.data(), clip.uri.size());
    hash->AddNumber(clip.start_time_ms.value_or(-1));
    hash->AddNumber(clip.end_time_ms.value_or(-1));
  }
  if (value.Is<FileReference>()) {
    const FileReference& file = value.As<FileReference>();
    hash->Add(file.uri.data(), file.uri.size());
    hash->AddNumber(file.offset);
    hash->AddNumber(file.length);
    hash->Add(file.version.data(), file.version.size());
  }
  if (value.Is<StructValue>()) {
    for (const Value& field : value.As<StructValue>().fields) AddValue(field, hash);
  }
  if (value.Is<ListValue>()) {
    hash->AddNumber(value.As<ListValue>().items.size());
    for (const Value& item : value.As<ListValue>().items) AddValue(item, hash);
  }
}

}  // namespace

FunctionDefinition HashFunction() {
  FunctionDefinition definition;
  definition.name = "hash";
  definition.kind = FunctionKind::kRow;
  definition.doc =
      "A 64-bit hash of the values' content (FNV-1a with MurmurHash3's finaliser); null has a hash too. Files are "
      "hashed by reference, not by content. Not for cryptography.";
  definition.arguments = {{"value", TypePattern::kAny, ""}};
  definition.variadic = true;
  definition.sees_null = true;
  definition.result_type = Always(LogicalType::Int64());
  definition.make_row_kernel = [](const BoundSignature&) -> Result<std::unique_ptr<RowKernel>> {
    return MakeRowKernel([](std::span<const Value> values) -> Result<Value> {
      Fnv hash;
      for (const Value& value : values) AddValue(value, &hash);
      return Value(hash.Finish());
    });
  };
  return definition;
}

}  // namespace mainstem
