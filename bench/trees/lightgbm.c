/* Times LightGBM's own predictor through its C interface: rows alone (the fast path for them) and all of them in one call.
   Driven by compare.py, which links it with the library of the Python package. One thread. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FEATURES 30
#define SINGLES 1000
#define FLOAT64 1
#define RAW_SCORE 1

/* As LightGBM/c_api.h declares them. */
typedef void *Handle;
int LGBM_BoosterCreateFromModelfile(const char *filename, int *iterations, Handle *out);
int LGBM_BoosterPredictForMat(Handle booster, const void *data, int type, int32_t rows, int32_t columns, int row_major, int kind,
                              int start, int count, const char *parameters, int64_t *length, double *out);
int LGBM_BoosterPredictForMatSingleRowFastInit(Handle booster, int kind, int start, int count, int type, int32_t columns,
                                               const char *parameters, Handle *out);
int LGBM_BoosterPredictForMatSingleRowFast(Handle config, const void *data, int64_t *length, double *out);
const char *LGBM_GetLastError(void);

static void check(int status) {
    if (status != 0) {
        fprintf(stderr, "%s\n", LGBM_GetLastError());
        exit(1);
    }
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    char path[4096];
    snprintf(path, sizeof path, "%s/rows.f64", arguments[1]);
    FILE *file = fopen(path, "rb");
    if (!file) return 2;
    fseek(file, 0, SEEK_END);
    int32_t rows = (int32_t)(ftell(file) / (FEATURES * (long)sizeof(double)));
    rewind(file);
    double *data = malloc(sizeof(double) * FEATURES * (size_t)rows), *out = malloc(sizeof(double) * (size_t)rows);
    if (fread(data, sizeof(double), FEATURES * (size_t)rows, file) != FEATURES * (size_t)rows) return 2;
    fclose(file);

    Handle booster, config;
    int iterations;
    int64_t length;
    snprintf(path, sizeof path, "%s/model.txt", arguments[1]);
    check(LGBM_BoosterCreateFromModelfile(path, &iterations, &booster));
    double batch = 1e300, single = 1e300;
    for (int round = 0; round < 3; round++) {
        double started = now();
        check(LGBM_BoosterPredictForMat(booster, data, FLOAT64, rows, FEATURES, 1, RAW_SCORE, 0, -1, "num_threads=1", &length, out));
        double took = (now() - started) / rows;
        if (took < batch) batch = took;
    }
    snprintf(path, sizeof path, "%s/lightgbm.f64", arguments[1]);
    file = fopen(path, "wb");
    if (!file || fwrite(out, sizeof(double), (size_t)rows, file) != (size_t)rows) return 2;
    fclose(file);

    check(LGBM_BoosterPredictForMatSingleRowFastInit(booster, RAW_SCORE, 0, -1, FLOAT64, FEATURES, "num_threads=1", &config));
    int singles = rows < SINGLES ? rows : SINGLES;
    for (int round = 0; round < 5; round++) {
        double started = now();
        for (int row = 0; row < singles; row++)
            check(LGBM_BoosterPredictForMatSingleRowFast(config, data + (size_t)row * FEATURES, &length, out));
        double took = (now() - started) / singles;
        if (took < single) single = took;
    }
    printf("{\"single_ns\": %.1f, \"batch_ns\": %.1f}\n", single, batch);
    return 0;
}
