// The step along K of linear.wgsl and conv.wgsl, once x is in its tile: the weights' tile, then the products. It
// is inserted there before the loops over registers are written out.
        for (var row = row_loaded; row < TILE_N; row += THREADS / 4u) {
            let output = first_n + output_at(row);
            var value = vec4(0.0);
            if output < params.outputs && k < params.k {
                value = weight4(output, k);
            }
            w_tile[row * STRIDE + part_loaded] = Factor(value);
        }
        workgroupBarrier();
        for (var part = 0u; part < 4u; part++) {
            // unroll c QUADS
            // unroll j 4
            let w_{c}_{j} = w_tile[(tx + ({c}u * 4u + {j}u) * THREADS_N) * STRIDE + part];
            // end
            // end
            // unroll r ROWS
            let x_{r} = x_tile[(ty + {r}u * THREADS_M) * STRIDE + part];
            // unroll c QUADS
            sum_{r}_{c} += vec4<f32>(vec4(dot(x_{r}, w_{c}_0), dot(x_{r}, w_{c}_1), dot(x_{r}, w_{c}_2), dot(x_{r}, w_{c}_3)));
            // end
            // end
        }
        workgroupBarrier();
