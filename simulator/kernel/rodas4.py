"""Coefficients of Rodas4: six stages, order 4 with embedded order 3, L-stable, stiffly accurate.

For ``M y' = f(y)`` with ``W = M/(h gamma) - J`` the stages are::

    W k_i = f(y + sum_j A[i][j] k_j) + M sum_j C[i][j] k_j / h        j < i
    y_new = y + sum_j A[5][j] k_j + k_6,      error = k_6

and inside the step, with theta in [0, 1]::

    y(theta) = (1 - theta) y + theta (y_new + (1 - theta)(c + theta d))
    c = sum_j D[0][j] k_j,   d = sum_j D[1][j] k_j

Hairer & Wanner 1996, Solving Ordinary Differential Equations II, section VI.4 (second coefficient set in their code).
"""

GAMMA = 0.25

A = (
    (),
    (1.544000000000000,),
    (0.9466785280815826, 0.2557011698983284),
    (3.314825187068521, 2.896124015972201, 0.9986419139977817),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1.0),
)

C = (
    (),
    (-5.668800000000000,),
    (-2.430093356833875, -0.2063599157091915),
    (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
    (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160),
    (8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054),
)

D = (
    (10.12623508344586, -7.487995877610167, -34.80091861555747, -7.992771707568823, 1.025137723295662),
    (-0.6762803392801253, 6.087714651680015, 16.43084320892478, 24.76722511418386, -6.594389125716872),
)

#: Inverse exponent of the step-size controller: the order of the error estimate plus one.
ERROR_ORDER = 4
