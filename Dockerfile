# The image is the environment: packages are installed here, so the program must not set up another one.
FROM python:3.13-slim

ENV SCALPER_NO_BOOTSTRAP=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN useradd --uid 10001 --no-create-home scalper && mkdir /data && chown 10001:10001 /data
USER 10001:10001
ENTRYPOINT ["python", "main.py"]
CMD ["run"]
