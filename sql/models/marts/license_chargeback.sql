-- Grain: one row per tenant, dimension, value, paid managed SKU and currency. The line (unattributed) holds what no value bears:
-- users without one, units that nobody holds, and the cents that rounding leaves. So every dimension adds up to the tenant.
-- A manager is whom the HR file names, else whom the directory does: the user by sign-in name as in the file, whoever is no user by id.
with managers as (
  select
    u.tenant_id,
    u.user_id,
    coalesce(nullif(trim(e.manager_key), ''), nullif(trim(m.upn_key), ''), u.manager_id) as manager_key
  from {{ ref('int_users') }} as u
  left join {{ ref('int_employees') }} as e on e.tenant_id = u.tenant_id and e.user_id = u.user_id
  left join {{ ref('int_users') }} as m on m.tenant_id = u.tenant_id and m.user_id = u.manager_id
),

users as (
  select tenant_id, user_id, 'department' as dimension, nullif(trim(department), '') as value from {{ ref('int_users') }}
  union all
  select tenant_id, user_id, 'country', nullif(trim(country), '') from {{ ref('int_users') }}
  union all
  select tenant_id, user_id, 'company', nullif(trim(company), '') from {{ ref('int_users') }}
  union all
  select tenant_id, user_id, 'employee_cost_centre', cost_centre from {{ ref('int_employees') }}
  union all
  select tenant_id, user_id, 'manager', manager_key from managers
),

seats as (
  select
    u.tenant_id,
    u.dimension,
    u.value,
    a.sku_id,
    count(*) as assigned_users,
    count_if(a.activity_status = 'active') as active_users,
    count_if(a.activity_status = 'inactive') as inactive_users,
    count_if(a.activity_status = 'never_active') as never_active_users,
    count_if(a.activity_status = 'too_new') as too_new_users,
    count_if(a.activity_status = 'not_measurable') as not_measurable_users
  from {{ ref('license_assignments') }} as a
  join users as u on u.tenant_id = a.tenant_id and u.user_id = a.user_id
  where u.value <> '(unattributed)'
  group by 1, 2, 3, 4
),

borne as (
  select
    s.*,
    c.currency,
    case
      when c.rest_cents = 0 then s.assigned_users * c.unit_cents
      else s.assigned_users * c.unit_cents + cast(round((2 * s.assigned_users * c.rest_cents + c.purchased_units
        - (2 * s.assigned_users * c.rest_cents + c.purchased_units) % (2 * c.purchased_units)) / (2 * c.purchased_units)) as bigint)
    end as cents
  from seats as s
  join {{ ref('int_license_costs') }} as c on c.tenant_id = s.tenant_id and c.sku_id = s.sku_id
  union all
  -- A cost centre bears its terms; which users it pays for, no term says.
  select
    tenant_id,
    'cost_centre',
    trim(cost_centre),
    sku_id,
    0, 0, 0, 0, 0, 0,
    currency,
    cast(sum(annual_cents) as bigint)
  from {{ ref('int_license_terms') }}
  where term_status = 'in_force' and trim(cost_centre) not in ('', '(unattributed)')
  group by 1, 3, 4, 11
),

dimensions as (
  select 'department' as dimension
  union all
  select 'country'
  union all
  select 'company'
  union all
  select 'cost_centre'
  union all
  select 'employee_cost_centre'
  union all
  select 'manager'
),

wholes as (
  select
    d.dimension,
    c.tenant_id,
    c.sku_id,
    c.currency,
    c.annual_cents,
    p.as_of_date,
    p.sku_part_number,
    p.product_name,
    c.price_basis,
    p.assigned_users,
    p.active_users,
    p.inactive_users,
    p.never_active_users,
    p.too_new_users,
    p.not_measurable_users,
    greatest(p.available_units, 0) as unassigned_units
  from {{ ref('int_license_costs') }} as c
  join {{ ref('license_positions') }} as p on p.tenant_id = c.tenant_id and p.sku_id = c.sku_id
  cross join dimensions as d
),

sums as (
  select
    tenant_id,
    dimension,
    sku_id,
    coalesce(currency, '') as currency,
    sum(assigned_users) as assigned_users,
    sum(active_users) as active_users,
    sum(inactive_users) as inactive_users,
    sum(never_active_users) as never_active_users,
    sum(too_new_users) as too_new_users,
    sum(not_measurable_users) as not_measurable_users,
    sum(cents) as cents
  from borne
  group by 1, 2, 3, 4
),

lines as (
  select
    w.tenant_id,
    w.as_of_date,
    w.dimension,
    b.value,
    w.sku_id,
    w.sku_part_number,
    w.product_name,
    w.currency,
    b.assigned_users,
    b.active_users,
    b.inactive_users,
    b.never_active_users,
    b.too_new_users,
    b.not_measurable_users,
    0 as unassigned_units,
    b.cents,
    w.price_basis
  from wholes as w
  join borne as b
    on b.tenant_id = w.tenant_id and b.dimension = w.dimension and b.sku_id = w.sku_id and coalesce(b.currency, '') = coalesce(w.currency, '')
  union all
  select
    w.tenant_id,
    w.as_of_date,
    w.dimension,
    '(unattributed)',
    w.sku_id,
    w.sku_part_number,
    w.product_name,
    w.currency,
    w.assigned_users - coalesce(s.assigned_users, 0),
    w.active_users - coalesce(s.active_users, 0),
    w.inactive_users - coalesce(s.inactive_users, 0),
    w.never_active_users - coalesce(s.never_active_users, 0),
    w.too_new_users - coalesce(s.too_new_users, 0),
    w.not_measurable_users - coalesce(s.not_measurable_users, 0),
    w.unassigned_units,
    w.annual_cents - coalesce(s.cents, 0),
    w.price_basis
  from wholes as w
  left join sums as s
    on s.tenant_id = w.tenant_id and s.dimension = w.dimension and s.sku_id = w.sku_id and s.currency = coalesce(w.currency, '')
)

select
  tenant_id,
  as_of_date,
  dimension,
  value,
  sku_id,
  sku_part_number,
  product_name,
  currency,
  cast(assigned_users as integer) as assigned_users,
  cast(active_users as integer) as active_users,
  cast(inactive_users as integer) as inactive_users,
  cast(never_active_users as integer) as never_active_users,
  cast(too_new_users as integer) as too_new_users,
  cast(not_measurable_users as integer) as not_measurable_users,
  cast(unassigned_units as integer) as unassigned_units,
  cast(cast(cents as decimal(18, 0)) * 0.01 as decimal(18, 2)) as annual_spend,
  price_basis = 'list_price' as is_estimate
from lines
