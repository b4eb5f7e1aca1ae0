#include "mainstem/media/video/ffmpeg/input.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/avstring.h>
}

#include <algorithm>
#include <cstring>

namespace mainstem::video {
namespace {

// Containers that hold everything in one file. Never hls, dash, concat, image2, sdp, avisynth and the like.
constexpr char kContainers[] = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf";

constexpr int kBufferBytes = 64 * 1024;
// A sound video is read about once, plus its index. What goes round in circles is stopped here.
constexpr int64_t kReadFactor = 8;
constexpr int64_t kReadExtraBytes = 64 * 1024 * 1024;
constexpr int64_t kPacketsExtra = 65536;
constexpr int kStreamsMax = 100;

int RefuseToOpen(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) { return AVERROR(EPERM); }

int64_t ToMilliseconds(int64_t value, AVRational unit) { return av_rescale_q(value, unit, AVRational{1, 1000}); }

}  // namespace

const char kVideoCodecs[] =
    "h264,hevc,vp8,vp9,libdav1d,libaom-av1,av1,mpeg1video,mpeg2video,mpeg4,msmpeg4v1,msmpeg4v2,msmpeg4,h263,h263i,"
    "h263p,flv,wmv1,wmv2,wmv3,vc1,theora,mjpeg,prores,dnxhd,ffv1,huffyuv,ffvhuff,rawvideo,dvvideo,svq3,vp6,vp6f,png,"
    "qtrle,utvideo";

int Input::ReadBytes(void* self, uint8_t* out, int length) {
  auto* input = static_cast<Input*>(self);
  const int64_t allowed = input->source_->size() * kReadFactor + kReadExtraBytes;
  if (input->bytes_read_ > allowed) {
    input->budget_spent_ = true;
    return AVERROR_EXIT;
  }
  const int64_t got = input->source_->ReadAt(input->position_, length, out);
  if (got < 0) {
    input->source_failed_ = true;
    return AVERROR(EIO);
  }
  if (got == 0) return AVERROR_EOF;
  input->position_ += got;
  input->bytes_read_ += got;
  return static_cast<int>(got);
}

int64_t Input::SeekBytes(void* self, int64_t offset, int whence) {
  auto* input = static_cast<Input*>(self);
  const int64_t size = input->source_->size();
  int64_t base = 0;
  switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE: return size;
    case SEEK_SET: break;
    case SEEK_CUR: base = input->position_; break;
    case SEEK_END: base = size; break;
    default: return AVERROR(EINVAL);
  }
  if (__builtin_add_overflow(base, offset, &offset) || offset < 0) return AVERROR(EINVAL);
  return input->position_ = offset;
}

Outcome Input::Failed(const char* what, int code, std::string* error) const {
  *error = Describe(what, code);
  if (source_failed_) return Outcome::kSourceFailed;
  if (code == AVERROR(ENOMEM)) return Outcome::kOutOfMemory;
  if (budget_spent_) *error = std::string(what) + ": the container leads round in circles";
  return Outcome::kBadData;
}

Outcome Input::OpenDemuxer(std::string* error) {
  TakeLoggedError();
  auto* buffer = static_cast<unsigned char*>(av_malloc(kBufferBytes));
  if (buffer == nullptr) return Failed("opening", AVERROR(ENOMEM), error);
  avio_.reset(avio_alloc_context(buffer, kBufferBytes, 0, this, &ReadBytes, nullptr, &SeekBytes));
  if (avio_ == nullptr) {
    av_free(buffer);
    return Failed("opening", AVERROR(ENOMEM), error);
  }
  const AVInputFormat* demuxer = nullptr;
  int code = av_probe_input_buffer2(avio_.get(), &demuxer, "", nullptr, 0, 0);
  if (code < 0 || demuxer == nullptr) {
    return Failed("not a video file", code < 0 ? code : AVERROR_INVALIDDATA, error);
  }
  if (av_match_list(demuxer->name, kContainers, ',') == 0) {
    *error = std::string("the format '") + demuxer->name +
             "' is not read; containers are mp4, mov, webm, mkv, avi, mpeg, ts, flv, ogg and asf, and playlists are "
             "refused because they name other files";
    return Outcome::kBadData;
  }
  AVFormatContext* format = avformat_alloc_context();
  if (format == nullptr) return Failed("opening", AVERROR(ENOMEM), error);
  format->pb = avio_.get();
  format->flags |= AVFMT_FLAG_CUSTOM_IO;
  format->io_open = &RefuseToOpen;
  format->max_streams = kStreamsMax;
  format->protocol_whitelist = av_strdup("none");
  format->format_whitelist = av_strdup(kContainers);
  format->codec_whitelist = av_strdup(kVideoCodecs);
  code = avformat_open_input(&format, "", demuxer, nullptr);  // frees the context where it fails
  if (code < 0) return Failed("broken container", code, error);
  format_.reset(format);
  return Outcome::kOk;
}

// FFmpeg's search for what a header leaves open reads and decodes megabytes. The header of an mp4 leaves nothing
// open; fragmented ones and other containers may.
bool Input::HeaderSaysAll() const {
  if (av_match_list(format_->iformat->name, "mov,mp4", ',') == 0 || stream_index_ < 0) return false;
  const AVCodecParameters* parameters = stream()->codecpar;
  return parameters->codec_id != AV_CODEC_ID_NONE && parameters->width > 0 && parameters->height > 0 &&
         stream()->avg_frame_rate.num > 0 && stream()->duration > 0;
}

Outcome Input::ChooseStream(std::string* error) {
  ChooseFirstVideo();
  if (!HeaderSaysAll()) {
    const int code = avformat_find_stream_info(format_.get(), nullptr);
    if (code < 0) return Failed("broken container", code, error);
    ChooseFirstVideo();  // streams may have been found
  }
  if (stream_index_ < 0) {
    *error = "the file has no video stream";
    return Outcome::kBadData;
  }
  for (unsigned index = 0; index < format_->nb_streams; ++index) {
    if (static_cast<int>(index) != stream_index_) format_->streams[index]->discard = AVDISCARD_ALL;
  }
  return Outcome::kOk;
}

void Input::ChooseFirstVideo() {
  stream_index_ = -1;
  for (unsigned index = 0; index < format_->nb_streams && stream_index_ < 0; ++index) {
    const AVStream* stream = format_->streams[index];
    const bool cover = (stream->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
    if (stream->codecpar->codec_type == AVMEDIA_TYPE_VIDEO && !cover) stream_index_ = static_cast<int>(index);
  }
}

Outcome Input::Open(std::string* error) {
  const Outcome outcome = OpenDemuxer(error);
  return outcome == Outcome::kOk ? ChooseStream(error) : outcome;
}

Outcome Input::ReadPacket(AVPacket* packet, std::string* error) {
  for (;;) {
    const int code = av_read_frame(format_.get(), packet);
    if (code == AVERROR_EOF && !source_failed_ && !budget_spent_) return Outcome::kEnd;
    if (code < 0) return Failed("broken container", code, error);
    if (++packets_read_ > source_->size() + kPacketsExtra) {
      av_packet_unref(packet);
      *error = "the container claims more packets than it has bytes";
      return Outcome::kBadData;
    }
    if (packet->stream_index != stream_index_) {
      av_packet_unref(packet);
      continue;
    }
    if ((packet->flags & AV_PKT_FLAG_CORRUPT) != 0) {
      av_packet_unref(packet);
      *error = "a packet is incomplete or damaged";
      return Outcome::kBadData;
    }
    return Outcome::kOk;
  }
}

Outcome Input::Seek(int64_t pts, std::string* error) {
  const int code = av_seek_frame(format_.get(), stream_index_, pts, AVSEEK_FLAG_BACKWARD);
  return code < 0 ? Failed("seeking", code, error) : Outcome::kOk;
}

StreamInfo Input::Info() const {
  const AVStream* stream = this->stream();
  StreamInfo info;
  info.width = stream->codecpar->width;
  info.height = stream->codecpar->height;
  const AVRational rate = stream->avg_frame_rate.num > 0 ? stream->avg_frame_rate : stream->r_frame_rate;
  if (rate.num > 0 && rate.den > 0) info.frames_per_second = av_q2d(rate);
  // A duration that was guessed from the bit rate says nothing.
  if (format_->duration_estimation_method != AVFMT_DURATION_FROM_BITRATE) {
    if (stream->duration > 0) {
      info.duration_ms = ToMilliseconds(stream->duration, stream->time_base);
    } else if (format_->duration > 0) {
      info.duration_ms = ToMilliseconds(format_->duration, AVRational{1, AV_TIME_BASE});
    }
  }
  if (stream->nb_frames > 0) info.frame_count = stream->nb_frames;
  info.time_base_numerator = std::max(1, stream->time_base.num);
  info.time_base_denominator = std::max(1, stream->time_base.den);
  info.stream_index = stream_index_;
  info.codec_name = avcodec_get_name(stream->codecpar->codec_id);
  return info;
}

}  // namespace mainstem::video
