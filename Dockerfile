# Focus-DETR on a CPU, with what the quickstart and the commands need; ONNX files and the web page
# need the extras onnx and demo besides (pip install -e '.[onnx,demo]').
#
#   docker build --tag focus-detr .
#   docker run --rm focus-detr doctor
#   docker run --rm -it --entrypoint /focus-detr/scripts/quickstart.sh focus-detr
#   docker run --rm -it -v "$PWD":/here -w /here --user "$(id -u)" focus-detr \
#       predict --checkpoint best.safetensors photo.jpg
FROM python:3.11-slim-bookworm

# g++ builds the native operator, and brings libgomp
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home focus \
    && install --directory --owner focus /focus-detr
USER focus
WORKDIR /focus-detr

# before the sources, so that a change of them does not fetch a gigabyte again
COPY --chown=focus requirements.txt ./
RUN python -m venv .venv \
    && .venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements.txt

COPY --chown=focus . .
RUN bash -c "source scripts/environment.sh && prepare_environment requirements.txt"

# a user of --user has no home folder, but MindSpore and the caches want one
ENV PATH="/focus-detr/.venv/bin:$PATH" HOME=/tmp
ENTRYPOINT ["focus-detr"]
CMD ["--help"]
