"""The job of images, read from a local HTTP server that answers after 30 ms."""

from __future__ import annotations

from typing import Any

from works import Case, Work, images

CONNECTIONS = 64


def urls(case: Case) -> list[str]:
    return [f"http://127.0.0.1:{case.port}/{images.name_of(index)}" for index in range(case.images)]


def run_mainstem(case: Case) -> Any:
    import mainstem as ms
    from mainstem import col

    paths = urls(case)
    ms.config.set("fetch.allow_private_addresses", True)
    ms.config.set("fetch.max_in_flight", CONNECTIONS)
    ms.config.set("fetch.max_in_flight_per_host", CONNECTIONS)  # 32 by default; peers have no such limit

    def job() -> None:
        (
            ms.read_files(paths)
            .with_column("image", col("file").image.decode(mode="RGB", on_error="dead_letter"))
            .select("file", jpeg=col("image").image.resize(224, 224, method="bilinear").image.encode("JPEG"))
            .write_parquet(str(case.out))
        )

    return job, {"fetch.max_in_flight": CONNECTIONS, "fetch.max_in_flight_per_host": CONNECTIONS}


def run_daft(case: Case, pillow: bool = True) -> Any:
    import daft
    from daft import DataType, col
    from daft.functions import decode_image, download, encode_image, resize

    @daft.func(return_dtype=DataType.binary(), use_process=False)
    def to_thumbnail(data: bytes | None) -> bytes | None:
        return images.thumbnail(data) if data is not None else None

    paths = urls(case)

    def job() -> None:
        frame = daft.from_pydict({"name": paths})
        data = download(col("name"), max_connections=CONNECTIONS, on_error="null")
        if pillow:
            frame = frame.select("name", to_thumbnail(data).alias("jpeg"))
        else:
            image = resize(decode_image(data, on_error="null", mode="RGB"), images.SIZE, images.SIZE)
            frame = frame.select("name", encode_image(image, "JPEG").alias("jpeg"))
        frame.where(~col("jpeg").is_null()).write_parquet(str(case.out))

    return job, {"max_connections": CONNECTIONS, "codecs": "Pillow in a row function" if pillow else "Daft's own"}


def run_ray(case: Case) -> Any:
    ray = images.start_ray()
    paths = urls(case)

    def fetch_and_shrink(batch: dict[str, Any]) -> dict[str, Any]:
        from concurrent.futures import ThreadPoolExecutor

        import requests

        session = requests.Session()
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS))

        def fetch(url: str) -> bytes | None:
            return images.thumbnail(session.get(url, timeout=30).content)

        with ThreadPoolExecutor(CONNECTIONS // images.CORES) as pool:
            jpegs = list(pool.map(fetch, batch["item"]))
        made = [(url, jpeg) for url, jpeg in zip(batch["item"], jpegs, strict=True) if jpeg]
        return {"name": [url for url, _ in made], "jpeg": [jpeg for _, jpeg in made]}

    def job() -> None:
        rows = ray.data.from_items(paths, override_num_blocks=max(4, len(paths) // 200))
        rows.map_batches(fetch_and_shrink, batch_size=200).write_parquet(str(case.out))

    return job, {"form": f"map_batches of 200, {CONNECTIONS // images.CORES} threads and one session a batch"}


WORK = Work(
    name="images_http",
    title="the same from an HTTP server that answers after 30 ms",
    target="≥ 2.5 × the best peer",
    engines={
        "mainstem": run_mainstem,
        "daft": run_daft,
        "daft_codecs": lambda case: run_daft(case, pillow=False),
        "ray": run_ray,
    },
    peers=("daft", "daft_codecs", "ray"),
    prepare=images.prepare,
    check=images.check,
    full={"images": 2000, "delay_ms": 30},
    quick={"images": 200, "delay_ms": 30},
    serves_inputs=True,
    ratio=2.5,
)
