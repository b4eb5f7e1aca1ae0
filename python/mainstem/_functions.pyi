"""The registry's functions as methods. Written by `python -m mainstem._stubs`; do not edit."""

from collections.abc import Sequence
from typing import Any

from mainstem.accessors import Accessor, FunctionNamespace, TableCall
from mainstem.expressions import Expression

class ImageAccessor(Accessor):
    """Functions image.*"""

    def aspect_ratio(self) -> Expression:
        """Returns width / height. Null where the header cannot be read.

        Parameters:
            source (image, binary or file): The picture, decoded or encoded; of encoded ones only the header
                is read.
        """

    def compress(self, quality: int = 85, format: str = "JPEG", on_error: str = "raise") -> Expression:
        """Decodes encoded bytes and encodes them again with the format and quality given.

        Parameters:
            source (binary or file): The encoded picture.
            quality (1 to 100): Quality of JPEG and WEBP, 1 to 100; PNG has no loss and ignores it.
            format ('JPEG' | 'PNG' | 'WEBP'): The format to write.
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """

    def convert_format(self, format: str, on_error: str = "raise") -> Expression:
        """Decodes encoded bytes and encodes them in another format, with quality 85 where that has loss.

        Parameters:
            source (binary or file): The encoded picture.
            format ('JPEG' | 'PNG' | 'WEBP'): The format to write.
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """

    def convert_mode(self, mode: str) -> Expression:
        """Changes the channels: L (grey), LA, RGB, RGBA with 8 bits a sample, L16 with 16. Grey is 0.299 R +
        0.587 G + 0.114 B (ITU-R 601, as Pillow); a new alpha is opaque; 8 and 16 bits are converted
        linearly (· 257, / 257).

        Parameters:
            image (image): The decoded picture.
            mode ('L' | 'LA' | 'RGB' | 'RGBA' | 'L16'): The mode of the result.
        """

    def crop(
        self,
        crop_coords: Sequence[int] | None = None,
        crop_type: str = "center",
        crop_ratio: Sequence[float] = [0.8, 0.8],
        crop_size: Sequence[int] | None = None,
    ) -> Expression:
        """Cuts a rectangle out of the picture: by coordinates, by size or by share of its sides.

        Parameters:
            image (image): The decoded picture.
            crop_coords (-1073741824 to 1073741824): [left, top, right, bottom] in pixels, right and bottom
                exclusive; overrides crop_type. What lies outside the picture is zero.
            crop_type ('coordinate' | 'ratio' | 'center'): 'coordinate' takes crop_coords; 'ratio' takes
                crop_ratio round the centre; 'center' takes crop_size round the centre, or crop_ratio where
                no size is given.
            crop_ratio (0 to 1): [width, height] as shares of the picture's sides, rounded down to pixels,
                at least one.
            crop_size (1 to 1073741824): [width, height] in pixels; what lies outside the picture is zero.
        """

    def decode(
        self,
        mode: str | None = None,
        pixel_limit: int | None = None,
        apply_orientation: bool = False,
        minimum_height: int | None = None,
        minimum_width: int | None = None,
        on_error: str = "raise",
    ) -> Expression:
        """Decodes a JPEG, PNG or WEBP picture (of an animation the first frame) to height × width × channels
        pixels. The mode is the stored one where there is such a mode; palettes and CMYK become RGB,
        transparent ones RGBA. Size is checked before memory is taken. Truncated or broken bytes are data
        errors and obey on_error.

        Parameters:
            source (binary or file): The encoded picture.
            mode ('L' | 'LA' | 'RGB' | 'RGBA' | 'L16'): Mode of the result; None keeps the picture's own.
            pixel_limit (at least 1): Most pixels (width × height) that a picture may have by its header;
                None is 178,956,970.
            apply_orientation (bool): Turns the picture upright as its EXIF orientation says.
            minimum_height (at least 1): Set by the planner where a resize follows: a JPEG may be scaled
                down while it is decoded (to 1/8, 1/4 or 1/2) as long as this many rows and minimum_width
                columns are left.
            minimum_width (at least 1): Set by the planner; see minimum_height.
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """

    def encode(
        self,
        format: str | None = None,
        quality: int = 85,
        output: str = "bytes",
        on_error: str = "raise",
    ) -> Expression:
        """Encodes pixels as JPEG (4:2:0), PNG or WEBP (lossy): bytes, or a data URL (RFC 2397). JPEG has no
        alpha, it is dropped; WEBP has colour only. BMP, GIF and TIFF cannot be written.

        Parameters:
            image (image): The decoded picture.
            format ('JPEG' | 'PNG' | 'WEBP'): The format to write; None is JPEG.
            quality (1 to 100): Quality of JPEG and WEBP, 1 to 100; PNG has no loss and ignores it.
            output ('bytes' | 'data_url'): 'bytes', or 'data_url' for text that a web page can show.
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """

    def file_size_filter(self, min_bytes: int | None = None, max_bytes: int | None = None) -> Expression:
        """Says whether the number of encoded bytes is within the bounds given (inclusive). False for null and
        for decoded pictures.

        Parameters:
            source (image, binary or file): The encoded picture.
            min_bytes (at least 0): Least number of bytes.
            max_bytes (at least 0): Most bytes.
        """

    def flip(self, mode: str = "horizontal") -> Expression:
        """Mirrors the picture left to right ('horizontal') or top to bottom ('vertical'), or turns it by 180
        degrees.

        Parameters:
            image (image): The decoded picture.
            mode ('horizontal' | 'vertical' | 'rotate180'): 'horizontal', 'vertical' or 'rotate180'.
        """

    def hash(self, method: str = "phash") -> Expression:
        """Returns a perceptual hash of 64 bits as 16 hexadecimal digits, equal to the Python library
        imagehash; pictures that look alike differ in few bits. phash: low frequencies of the 32 × 32 cosine
        transform above their median; dhash: brighter than the left neighbour at 9 × 8; ahash: above the
        mean at 8 × 8.

        Parameters:
            image (image): The decoded picture.
            method ('phash' | 'dhash' | 'ahash'): 'phash', 'dhash' or 'ahash'.
        """

    def is_valid(self, mode: str | None = None, pixel_limit: int | None = None) -> Expression:
        """Says whether the header is that of a JPEG, PNG or WEBP picture within the limit; pixels are not
        decoded and may still be broken. False for null.

        Parameters:
            source (image, binary or file): The picture, decoded or encoded; of encoded ones only the header
                is read.
            mode ('L' | 'LA' | 'RGB' | 'RGBA' | 'L16'): Also asks that decoding gives this mode.
            pixel_limit (at least 1): Most pixels (width × height) that a picture may have by its header;
                None is 178,956,970.
        """

    def metadata(self) -> Expression:
        """Returns width and height in pixels, channels, mode and format. Mode is the stored one in Pillow's
        names ('1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'CMYK', 'I;16'); format is 'JPEG', 'PNG' or 'WEBP', and
        'UNKNOWN' for decoded pictures. Null where the header cannot be read.

        Parameters:
            source (image, binary or file): The picture, decoded or encoded; of encoded ones only the header
                is read.
        """

    def rescale(self, scale: float, method: str = "lanczos") -> Expression:
        """Multiplies both sides by a factor, rounded to whole pixels (half to even), at least one. Equal to
        Pillow's Image.resize: a convolution whose support grows with the factor when the picture shrinks;
        pictures with alpha are weighted by it.

        Parameters:
            image (image): The decoded picture.
            scale (1e-06 to 1000000): The factor.
            method ('nearest' | 'bilinear' | 'bicubic' | 'lanczos'): How pixels are weighted; all but
                'nearest' average over the pixels that a result covers.
        """

    def resize(self, width: int, height: int, method: str = "lanczos") -> Expression:
        """Returns the picture with the width and height given, whatever its aspect ratio. Equal to Pillow's
        Image.resize: a convolution whose support grows with the factor when the picture shrinks; pictures
        with alpha are weighted by it.

        Parameters:
            image (image): The decoded picture.
            width (1 to 1000000): Width of the result in pixels.
            height (1 to 1000000): Height of the result in pixels.
            method ('nearest' | 'bilinear' | 'bicubic' | 'lanczos'): How pixels are weighted; all but
                'nearest' average over the pixels that a result covers.
        """

    def shape_filter(self, min_ratio: float | None = None, max_ratio: float | None = None) -> Expression:
        """Says whether width / height is within the bounds given (inclusive). False for null.

        Parameters:
            source (image, binary or file): The picture, decoded or encoded; of encoded ones only the header
                is read.
            min_ratio (at least 0): Least aspect ratio.
            max_ratio (at least 0): Greatest aspect ratio.
        """

    def sharpness(self, max_edge: int | None = None, allow_upscale: bool = False) -> Expression:
        """Returns the variance of the 4-neighbour Laplacian of the grey picture (0 … 255) over its inner
        pixels: near 0 for blurred pictures, unbounded above. It depends on the size; max_edge makes
        pictures comparable.

        Parameters:
            image (image): The decoded picture.
            max_edge (1 to 13000): Scales (bilinear) pictures whose longer side is greater down to it first;
                None does not.
            allow_upscale (bool): Scales smaller pictures up to max_edge too.
        """

    def size_filter(
        self,
        min_w: int | None = None,
        min_h: int | None = None,
        max_w: int | None = None,
        max_h: int | None = None,
    ) -> Expression:
        """Says whether width and height are within the bounds given (inclusive). False for null.

        Parameters:
            source (image, binary or file): The picture, decoded or encoded; of encoded ones only the header
                is read.
            min_w (at least 0): Least width in pixels.
            min_h (at least 0): Least height in pixels.
            max_w (at least 0): Most width in pixels.
            max_h (at least 0): Most height in pixels.
        """

    def to_tensor(
        self,
        width: int,
        height: int,
        mode: str = "RGB",
        layout: str = "CHW",
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> Expression:
        """Returns float32 numbers of fixed shape, [channels, height, width] or [height, width, channels]:
        sample / 255 (65,535 for L16) in [0, 1], then (value - mean) / std of each channel where given.
        Nothing is resized or converted: a picture of another size or mode gives null.

        Parameters:
            image (image): The decoded picture.
            width (1 to 1000000): Width of the result in pixels.
            height (1 to 1000000): Height of the result in pixels.
            mode ('L' | 'LA' | 'RGB' | 'RGBA' | 'L16'): The mode that the pictures must have.
            layout ('CHW' | 'HWC'): Order of the axes.
            mean (Sequence[float] | None): Subtracted from each channel after scaling to [0, 1]; one number
                a channel.
            std (Sequence[float] | None): Divides each channel after that; one number above 0 a channel.
        """

class AudioAccessor(Accessor):
    """Functions audio.*"""

    def concat(self, max_decoded_bytes: int = 1073741824, on_error: str = "raise") -> Expression:
        """Joins the sounds of a list in their order; null items are left out, and a list without sounds is
        null. All must have one sample rate and one number of channels; others are a data error.

        Parameters:
            sounds (list): List of decoded sounds.
            max_decoded_bytes (at least 1): Most bytes that the samples of one result may take; more is a
                data error.
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """

    def decode(self, max_decoded_bytes: int = 1073741824, on_error: str = "raise") -> Expression:
        """Decodes WAV, FLAC, OGG (Vorbis, Opus), AIFF or MP3 into float32 samples, frames × channels
        interleaved, full scale = 1. Of an audio clip only its range is decoded (start inclusive, end
        exclusive, cut at the sound's end). The limit is checked before memory is taken.

        Parameters:
            source (binary, uri, file or audio clip): Encoded sound: bytes, a uri, a file or an audio clip.
            max_decoded_bytes (at least 1): Most bytes that the samples of one sound may take; more is a
                data error.
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """

    def detect_speech(
        self,
        model: str = "silero-vad",
        threads: int | None = None,
        precision: str = "auto",
        threshold: float = 0.5,
        min_speech_ms: int = 250,
        min_silence_ms: int = 100,
        speech_pad_ms: int = 30,
        max_segments: int = 1024,
        on_error: str = "raise",
    ) -> Expression:
        """Where somebody speaks: a list of time ranges (start_ms, end_ms, duration_ms, in the timeline of the
        sound's source), found by Silero's voice activity model in windows of 32 ms. Takes mono sound of 16
        kHz: use audio.standardize() first; other sound is a data error, and so are more than max_segments
        ranges.

        Parameters:
            audio (audio): Decoded sound, mono, 16 kHz.
            model (str): Name of a model of the model store, or the path of a file or folder of yours.
            threads (1 to 1024): Threads of one inference; None takes all processors.
            precision ('auto' | 'f32'): 'auto' computes in what the machine does fastest (bfloat16 where it
                has matrix units), 'f32' in float32.
            threshold (0 to 1): Probability from which a window is speech; it is left below threshold −
                0.15.
            min_speech_ms (0 to 3600000): Shorter speech is dropped.
            min_silence_ms (0 to 3600000): Shorter silence does not end speech.
            speech_pad_ms (0 to 3600000): Added at both ends of a range.
            max_segments (1 to 16777216): Most ranges of one sound.
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """

    def duration(self) -> Expression:
        """Returns the length in seconds (of a clip: of its range), from the header. Null where it is unknown
        or the input is broken.

        Parameters:
            source (audio, binary, uri, file or audio clip): Sound: decoded, bytes, a uri, a file or an
                audio clip.
        """

    def duration_filter(self, min_seconds: float | None = None, max_seconds: float | None = None) -> Expression:
        """Says whether the length in seconds lies between the bounds, both inclusive. False for null, broken
        input and unknown length. At least one bound must be given.

        Parameters:
            source (audio, binary, uri, file or audio clip): Sound: decoded, bytes, a uri, a file or an
                audio clip.
            min_seconds (at least 0): Shortest length that passes.
            max_seconds (at least 0): Longest length that passes.
        """

    def encode(self, format: str = "wav", on_error: str = "raise") -> Expression:
        """Encodes sound: WAV, FLAC and AIFF as 16-bit PCM, OGG as Vorbis. Samples beyond full scale are
        clipped; samples that are not finite are a data error.

        Parameters:
            audio (audio): Decoded sound.
            format ('wav' | 'flac' | 'ogg' | 'aiff'): The file format.
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """

    def is_valid(self, validation: str = "metadata") -> Expression:
        """Says whether the input is a sound that can be read. False for null and for broken input; a file that
        cannot be opened still raises.

        Parameters:
            source (binary, uri, file or audio clip): Encoded sound: bytes, a uri, a file or an audio clip.
            validation ('metadata' | 'decode'): 'metadata' reads the header only, 'decode' decodes all of
                it.
        """

    def metadata(self) -> Expression:
        """Returns what the header says: sample_rate (Hz), channels, frames, duration_ms, format (WAV, FLAC,
        OGG, AIFF, MP3; UNKNOWN of decoded sound), codec (PCM_16, VORBIS, …), bit_rate (encoded bits a
        second) and size (encoded bytes). Frames and duration of a clip are those of its range. Null for
        broken input; a field that is not known is null.

        Parameters:
            source (audio, binary, uri, file or audio clip): Sound: decoded, bytes, a uri, a file or an
                audio clip.
        """

    def resample(self, sample_rate: int, max_decoded_bytes: int = 1073741824, on_error: str = "raise") -> Expression:
        """Brings sound to another sample rate with libsoxr's HQ resampler; the channels stay.

        Parameters:
            audio (audio): Decoded sound.
            sample_rate (1 to 768000): Rate of the result in Hz.
            max_decoded_bytes (at least 1): Most bytes that the samples of one result may take; more is a
                data error.
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """

    def silence_detection(self, threshold_db: float, min_silence_ms: int = 0) -> Expression:
        """Returns the silent stretches as a list of start_ms, end_ms (exclusive) and duration_ms, counted from
        the start of the source. Time is cut into windows of 10 ms; one is silent where the root mean square
        of the mono mix is at most the threshold.

        Parameters:
            audio (audio): Decoded sound.
            threshold_db (at most 0): Loudest level that counts as silence, in dB of full scale.
            min_silence_ms (at least 0): Shorter stretches are left out.
        """

    def size_filter(self, min_bytes: int | None = None, max_bytes: int | None = None) -> Expression:
        """Says whether the encoded size in bytes lies between the bounds, both inclusive (of a clip: the size
        of its file). The sound is not opened. False for null. At least one bound must be given.

        Parameters:
            source (binary, uri, file or audio clip): Encoded sound: bytes, a uri, a file or an audio clip.
            min_bytes (at least 0): Smallest size that passes.
            max_bytes (at least 0): Largest size that passes.
        """

    def split_by_duration(
        self,
        segment_duration_ms: int,
        segment_type: str = "audio",
        max_segments: int = 1024,
        on_error: str = "raise",
    ) -> TableCall:
        """Cuts sound into segments of one length, the last one shorter; each is a row `segment`. Segments tile
        the sound: a border at t ms is the frame floor(t · rate / 1000). 'audio' gives parts of decoded
        sound, which share its samples; 'ref' gives audio clips of a uri, a file or a clip and reads only
        the header.

        Parameters:
            source (audio, binary, uri, file or audio clip): Decoded sound, or for 'ref' a uri, a file or an
                audio clip.
            segment_duration_ms (at least 1): Length of a segment.
            segment_type ('audio' | 'ref'): 'audio' gives samples, 'ref' gives references.
            max_segments (at least 1): A sound that needs more is a data error.
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """

    def standardize(
        self,
        sample_rate: int = 16000,
        channels: int = 1,
        max_decoded_bytes: int = 1073741824,
        on_error: str = "raise",
    ) -> Expression:
        """Brings sound to one sample rate and number of channels: the average of all channels where one is
        asked for, copies of a mono sound where more are (other changes of channels are data errors), and
        libsoxr's HQ resampler.

        Parameters:
            audio (audio): Decoded sound.
            sample_rate (1 to 768000): Rate of the result in Hz.
            channels (1 to 256): Channels of the result.
            max_decoded_bytes (at least 1): Most bytes that the samples of one result may take; more is a
                data error.
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """

class VideoAccessor(Accessor):
    """Functions video.*"""

    def explode_frames(
        self,
        frame_selector: str = "all_frames",
        sample_interval_ms: int | None = None,
        max_frames: int | None = None,
        image_height: int | None = None,
        image_width: int | None = None,
        every_nth: int = 1,
        pixel_limit: int = 178956970,
        threads: int = 1,
        on_error: str = "raise",
    ) -> TableCall:
        """Returns one row for each picture of the first video stream: `frame`, an RGB image, and `metadata`
        (uri, video_stream_index, frame_index, pts, time_ms, key_frame, start_time_ms, end_time_ms). pts (in
        units of the stream's time base) and time_ms are relative to the video's first picture; frame_index
        counts the pictures of the range. A clip's end is inclusive. Rotation stored in the container is not
        applied. Remote videos have to be fetched first.

        Parameters:
            video (uri, file or video clip): a local uri, a file or a video clip
            frame_selector ('all_frames' | 'keyframe' | 'sample'): 'all_frames', 'keyframe' (nothing else is
                decoded), or 'sample': the first picture at or after each multiple of sample_interval_ms
                from the range's start.
            sample_interval_ms (at least 1): Distance of sampled pictures in milliseconds; 1000 where not
                given. Only with 'sample'.
            max_frames (at least 1): At most so many pictures a video.
            image_height (1 to 65535): Scales every picture to this height (bilinear, without keeping the
                aspect); with image_width.
            image_width (1 to 65535): Scales every picture to this width; with image_height.
            every_nth (at least 1): Keeps the first and every n-th of the selected pictures; the others are
                not converted to RGB.
            pixel_limit (at least 1): A picture of more pixels fails the row.
            threads (1 to 64): Threads of one video's decoder. Rows are read in parallel anyway; more help
                where videos are few and long.
            on_error ('raise' | 'skip'): What a broken video does: 'raise' fails the row, 'skip' ends it;
                pictures emitted before stay.
        """

    def metadata(self, on_error: str = "raise") -> Expression:
        """Returns what the container says of its first video stream: width and height (pixels), fps,
        duration_ms, frame_count, time_base (seconds), codec_name and video_stream_index. What it does not
        say is null; no picture is counted, so a container that lies is quoted.

        Parameters:
            video (uri, file or video clip): a local uri, a file or a video clip
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """

    def split(
        self,
        duration: Any = None,
        segment_duration_ms: int | None = None,
        num_segments: int | None = None,
        at_ms: Sequence[int] | None = None,
        video_duration_ms: int | None = None,
        overlap_ms: int = 0,
        max_segments: int = 1024,
        on_error: str = "raise",
    ) -> TableCall:
        """Returns one row for each segment: `clip`, a reference to a range of the same video with an inclusive
        end in milliseconds. No picture is decoded; the container is read only where the duration is needed
        and neither the clip, the second argument nor video_duration_ms says it.

        Parameters:
            video (uri, file or video clip): a local uri, a file or a video clip
            duration (any): its duration in milliseconds, or its video.metadata()
            segment_duration_ms (1 to 1000000000000000): Cuts into segments of this length; the last may be
                shorter.
            num_segments (1 to 1000000): Cuts into so many segments of equal length.
            at_ms (Sequence[int] | None): Cuts at these times, ascending; those outside the clip are passed
                over.
            video_duration_ms (1 to 1000000000000000): The video's duration where it is known; else its
                container is read.
            overlap_ms (0 to 1000000000000000): Segments begin so much earlier than the one before them
                ends.
            max_segments (1 to 1000000): No more segments a video: cutting by length or number ends there;
                with an overlap or at_ms it is an error.
            on_error ('raise' | 'skip'): What a broken video does: 'raise' fails the row, 'skip' gives no
                segments.
        """

class DocumentAccessor(Accessor):
    """Functions document.*"""

    def pages(
        self,
        text: bool = True,
        image: bool = False,
        dpi: int = 150,
        start_page: int = 1,
        pages: int | None = None,
        max_pages: int = 10000,
        pixel_limit: int = 178956970,
        password: str | None = None,
        on_error: str = "raise",
    ) -> TableCall:
        """Returns one row for each page of a PDF: page_no (1 is the first), `text` in reading order as the
        document has it (words broken at a line's end are joined), `image` (RGB on white, annotations
        drawn), and width and height in points (1/72 inch) with the page's rotation applied. A start_page
        beyond the end gives no rows. Pages are read by PDFium, one at a time in a process: more parallelism
        does not speed up rendering.

        Parameters:
            pdf (binary or file): the bytes of a PDF, or a file
            text (bool): Emit the text of each page.
            image (bool): Emit a picture of each page.
            dpi (1 to 600): Pixels an inch of the picture.
            start_page (1 to 2147483647): The first page to read; 1 is the document's first.
            pages (1 to 2147483647): How many pages to read; all that follow where not given.
            max_pages (1 to 2147483647): A document with more pages to read fails the row.
            pixel_limit (at least 1): A picture of more pixels fails the row.
            password (str | None): Opens encrypted documents.
            on_error ('raise' | 'skip'): What a broken PDF does: 'raise' fails the row, 'skip' ends it;
                pages emitted before stay.
        """

class TextAccessor(Accessor):
    """Functions text.*"""

    def chunk(
        self,
        size: int = 2048,
        overlap: int = 200,
        separators: Sequence[str] | None = None,
        max_text_bytes: int = 67108864,
        on_error: str = "raise",
    ) -> Expression:
        """Cuts text into chunks of at most `size` characters (Unicode code points), a list of strings in the
        order of the text. A chunk ends at the end of the text where that is within reach; else at the last
        border within reach of the best rank that has one: the end of a paragraph (white space with two line
        feeds) in the second half of the reach, the end of a sentence (behind . ! ? … and closing quotes or
        brackets, before white space; behind 。！？ always; not behind abbreviations, initials, or before a
        lower-case letter), the end of a word (at white space and beside CJK characters), or else after
        exactly `size` characters. The next chunk starts at the earliest start of a sentence, else of a
        word, within the last `overlap` characters, as long as its own end gets no worse a rank by that;
        else right behind. With `separators` these take the place of paragraphs and sentences: a text is cut
        behind the first of them in the second half of the reach, …, behind any of them anywhere. White
        space at the ends of chunks is dropped; every other character is in a chunk. Text of white space
        gives an empty list; text that is not UTF-8 is a data error.

        Parameters:
            text (string): Text in UTF-8.
            size (at least 1): Most characters of a chunk.
            overlap (at least 0): Most characters that a chunk repeats of the one before; less than size.
            separators (Sequence[str] | None): Texts to cut behind, the best first; None cuts at paragraphs
                and sentences.
            max_text_bytes (1 to 4294967295): Longer text is a data error; the work takes some ten times its
                size.
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """

    def concat(self, *text: Any) -> Expression:
        """The strings one after the other; null where one is null.

        Parameters:
            text (string)
        """

    def contains(self, pattern: str) -> Expression:
        """True where the text contains the pattern, literally.

        Parameters:
            text (string)
            pattern (str): What to look for.
        """

    def ends_with(self, pattern: str) -> Expression:
        """True where the text ends with the pattern.

        Parameters:
            text (string)
            pattern (str): What to look for.
        """

    def extract(self, pattern: str, group: str | None = None) -> Expression:
        """The first match of a regular expression (RE2 syntax), or null.

        Parameters:
            text (string)
            pattern (str): The regular expression.
            group (str | None): A named group instead of the whole match.
        """

    def length(self) -> Expression:
        """Number of code points.

        Parameters:
            text (string)
        """

    def like(self, pattern: str) -> Expression:
        """True where the SQL LIKE pattern (% and _) matches the whole text.

        Parameters:
            text (string)
            pattern (str): What to look for.
        """

    def lower(self) -> Expression:
        """In small letters.

        Parameters:
            text (string)
        """

    def matches(self, pattern: str) -> Expression:
        """True where the regular expression (RE2 syntax) matches somewhere in the text.

        Parameters:
            text (string)
            pattern (str): What to look for.
        """

    def replace(self, pattern: str, replacement: str, regex: bool = False) -> Expression:
        """The text with every match of the pattern replaced.

        Parameters:
            text (string)
            pattern (str): What to replace.
            replacement (str): What to put there.
            regex (bool): The pattern is a regular expression (RE2 syntax), \\1 a group in the replacement.
        """

    def reverse(self) -> Expression:
        """Code points in reverse order.

        Parameters:
            text (string)
        """

    def slice(self, start: int = 0, length: int | None = None) -> Expression:
        """A part of the text.

        Parameters:
            text (string)
            start (at least 0): First code point, from 0.
            length (at least 0): Number of code points; None = the rest.
        """

    def split(self, separator: str) -> Expression:
        """The parts between separators, as a list.

        Parameters:
            text (string)
            separator (str): Between the parts.
        """

    def starts_with(self, pattern: str) -> Expression:
        """True where the text starts with the pattern.

        Parameters:
            text (string)
            pattern (str): What to look for.
        """

    def trim(self) -> Expression:
        """Without white space at both ends.

        Parameters:
            text (string)
        """

    def upper(self) -> Expression:
        """In capital letters.

        Parameters:
            text (string)
        """

class VectorAccessor(Accessor):
    """Functions vector.*"""

    def cosine(self, b: Any) -> Expression:
        """Returns the cosine of the angle between two vectors, Σ aᵢ·bᵢ / (|a|·|b|), in [-1, 1], computed in
        double precision. Null where a vector or one of its numbers is null, or where a vector has length
        zero: the angle is not defined. Vectors of unequal dimension are a data error.

        Parameters:
            a (vector, tensor or list of numbers): A vector, tensor or list of numbers.
            b (vector, tensor or list of numbers): Another of the same dimension.
        """

    def dot(self, b: Any) -> Expression:
        """Returns the dot product of two vectors, Σ aᵢ·bᵢ, computed in double precision. Null where a vector
        or one of its numbers is null. Vectors of unequal dimension are a data error.

        Parameters:
            a (vector, tensor or list of numbers): A vector, tensor or list of numbers.
            b (vector, tensor or list of numbers): Another of the same dimension.
        """

class FileAccessor(Accessor):
    """Functions file.*"""

    def bytes(self, max_bytes: int = 1073741824, on_error: str = "raise") -> Expression:
        """Returns the bytes that the reference names. A file of this machine is read; one elsewhere is fetched
        before. A file that is larger than the limit, or has changed since it was listed, is a data error;
        one that cannot be opened always raises.

        Parameters:
            file (file): A reference to a file or a part of one.
            max_bytes (at least 0): Most bytes of one file.
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """

    def mime_type(self) -> Expression:
        """Returns the media type: by the first bytes (JPEG, PNG, WebP, GIF, PDF, WAV, FLAC, OGG, MP3, MP4,
        QuickTime, Matroska, WebM) of a file of this machine or one that has been fetched, else by the
        extension of its name, else 'application/octet-stream'.

        Parameters:
            file (file): A reference to a file or a part of one.
        """

    def name(self) -> Expression:
        """Returns the last part of the uri's path: 'a.jpg' of 'photos/a.jpg'; query and fragment of an http
        uri do not count.

        Parameters:
            file (file): A reference to a file or a part of one.
        """

    def reference(self) -> Expression:
        """Makes a reference to a whole file from its uri (a path, file://, http(s):// or s3://). Nothing is
        opened.

        Parameters:
            uri (string): Uri or path.
        """

    def size(self) -> Expression:
        """Returns the number of bytes that the reference names: of the bytes it carries, else its length, else
        from the file itself. Null for a file elsewhere whose length is not known.

        Parameters:
            file (file): A reference to a file or a part of one.
        """

    def uri(self) -> Expression:
        """Returns the uri of the reference.

        Parameters:
            file (file): A reference to a file or a part of one.
        """

class TemporalAccessor(Accessor):
    """Functions temporal.*"""

    def day(self) -> Expression:
        """The day of the month, from 1.

        Parameters:
            time (date, time or timestamp)
        """

    def day_of_week(self) -> Expression:
        """The day of the week, Monday is 0.

        Parameters:
            time (date, time or timestamp)
        """

    def day_of_year(self) -> Expression:
        """The day of the year, from 1.

        Parameters:
            time (date, time or timestamp)
        """

    def hour(self) -> Expression:
        """The hour, 0 to 23.

        Parameters:
            time (date, time or timestamp)
        """

    def minute(self) -> Expression:
        """The minute, 0 to 59.

        Parameters:
            time (date, time or timestamp)
        """

    def month(self) -> Expression:
        """The month, 1 to 12.

        Parameters:
            time (date, time or timestamp)
        """

    def second(self) -> Expression:
        """The second, 0 to 59.

        Parameters:
            time (date, time or timestamp)
        """

    def strftime(self, format: str = "%Y-%m-%dT%H:%M:%S") -> Expression:
        """The time as text.

        Parameters:
            time (date, time or timestamp)
            format (str): As C's strftime.
        """

    def truncate(self, unit: str) -> Expression:
        """The start of the unit that the time lies in.

        Parameters:
            time (date, time or timestamp)
            unit ('day' | 'hour' | 'minute' | 'month' | 'quarter' | 'second' | 'week' | 'year'): Calendar
                unit.
        """

    def year(self) -> Expression:
        """The year.

        Parameters:
            time (date, time or timestamp)
        """

class ListAccessor(Accessor):
    """Functions list.*"""

    def get(self, index: int) -> Expression:
        """The item at a position, or null where the list is shorter.

        Parameters:
            list (list)
            index (at least 0): Position from 0.
        """

    def length(self) -> Expression:
        """Number of items.

        Parameters:
            list (list)
        """

class StructAccessor(Accessor):
    """Functions struct.*"""

    def field(self, name: str) -> Expression:
        """A field of a struct.

        Parameters:
            struct (any)
            name (str): Name of the field.
        """

class AiFunctions(FunctionNamespace):
    """Functions ai.*"""

    def classify_image(
        self,
        image: Any,
        model: str = "efficientnet-lite0",
        batch_size: int | None = None,
        threads: int | None = None,
        precision: str = "auto",
        top_k: int = 1,
        output: str = "label",
        on_error: str = "raise",
    ) -> Expression:
        """What is on an image: the name of the best of the model's classes (ImageNet's 1,000 with the default
        model, EfficientNet-Lite0), or with output='scores' a list of the top_k best, each a label and a
        score; scores are the softmax over all classes. The model looks at 224 × 224 RGB pixels: an image of
        another size or mode is resized (image.resize, bilinear, antialiased, without regard to its aspect
        ratio) and converted first by a step that the planner adds.

        Parameters:
            image (image): Decoded image.
            model (str): Name of a model of the model store, or the path of a file or folder of yours.
            batch_size (1 to 1048576): Most rows in one inference; None leaves it to the engine.
            threads (1 to 1024): Threads of one inference; None takes all processors.
            precision ('auto' | 'f32'): 'auto' computes in what the machine does fastest (bfloat16 where it
                has matrix units), 'f32' in float32.
            top_k (1 to 1048576): How many classes with output='scores'.
            output ('label' | 'scores'): 'label' for a text, 'scores' for a list of labels and scores.
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """

    def embed_image(
        self,
        image: Any,
        model: str = "efficientnet-lite0",
        batch_size: int | None = None,
        threads: int | None = None,
        precision: str = "auto",
        on_error: str = "raise",
    ) -> Expression:
        """The embedding of an image: a float32 vector (1,280 numbers, not normalised, with the default model,
        EfficientNet-Lite0); images that look alike have near vectors. The model looks at 224 × 224 RGB
        pixels: an image of another size or mode is resized (image.resize, bilinear, antialiased, without
        regard to its aspect ratio) and converted first by a step that the planner adds.

        Parameters:
            image (image): Decoded image.
            model (str): Name of a model of the model store, or the path of a file or folder of yours.
            batch_size (1 to 1048576): Most rows in one inference; None leaves it to the engine.
            threads (1 to 1024): Threads of one inference; None takes all processors.
            precision ('auto' | 'f32'): 'auto' computes in what the machine does fastest (bfloat16 where it
                has matrix units), 'f32' in float32.
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """

    def embed_text(
        self,
        text: Any,
        model: str = "all-minilm-l6-v2",
        batch_size: int | None = None,
        threads: int | None = None,
        precision: str = "auto",
        on_error: str = "raise",
    ) -> Expression:
        """The embedding of a text: a float32 vector (384 numbers and length one with the default model, all-
        MiniLM-L6-v2, made for English), so that near meanings have a large dot product. Only the first 256
        word pieces of a text count; cut longer ones with text.chunk().

        Parameters:
            text (string): Text in UTF-8.
            model (str): Name of a model of the model store, or the path of a file or folder of yours.
            batch_size (1 to 1048576): Most rows in one inference; None leaves it to the engine.
            threads (1 to 1024): Threads of one inference; None takes all processors.
            precision ('auto' | 'f32'): 'auto' computes in what the machine does fastest (bfloat16 where it
                has matrix units), 'f32' in float32.
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """

    def onnx(
        self,
        column: Any,
        model: str,
        batch_size: int = 64,
        threads: int | None = None,
        precision: str = "auto",
        input: str | None = None,
        output: str | None = None,
        output_type: str = "tensor",
        output_shape: Sequence[int] | None = None,
        mean: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        on_error: str = "raise",
    ) -> Expression:
        """The answer of a model of yours with one input: ONNX, OpenVINO IR or TFLite. The first side of input
        and output is the batch; where the model fixes it, calls are cut to it. Images go in as they are,
        uint8 made (pixel − mean) / scale and turned to the model's layout ([N, C, H, W] or [N, H, W, C]);
        they must have the model's size, use image.resize(). Tensors must have the input's shape; vectors
        and lists its number of numbers. Numbers of another type are converted where no integer is lost.

        Parameters:
            column (any): Images, tensors, vectors or lists of numbers.
            model (str): Path of the model file.
            batch_size (1 to 1048576): Most rows in one inference; None leaves it to the engine.
            threads (1 to 1024): Threads of one inference; None takes all processors.
            precision ('auto' | 'f32'): 'auto' computes in what the machine does fastest (bfloat16 where it
                has matrix units), 'f32' in float32.
            input (str | None): Name of the input; a model with one needs none.
            output (str | None): Name of the output; None is the first.
            output_type ('tensor' | 'vector'): Type of the result: 'tensor' keeps the shape, 'vector' is its
                numbers in a row.
            output_shape (Sequence[int] | None): Shape of one row of the output, where the model leaves
                sides of it free.
            mean (Sequence[float] | None): Subtracted from the samples of images: one number, or one a
                channel.
            scale (Sequence[float] | None): Divides the samples of images after that: one number, or one a
                channel.
            on_error ('raise' | 'null' | 'dead_letter'): What broken input does: 'raise' fails the job,
                'null' gives null, 'dead_letter' sets the row aside with the reason.
        """
