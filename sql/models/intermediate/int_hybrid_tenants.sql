-- Grain: one row per tenant: its day, and which halves of the hybrid position were measured.
-- An inventory counts when the run that asked for the users read it too, so that one that left the configuration does not.
with users as (
  select
    tenant_id,
    newest_run_date,
    run_id,
    case when is_measured then logical_date end as users_date,
    is_measured as has_users
  from {{ ref('int_coverage') }}
  where table_name = 'graph_users'
),

sources as (
  select
    tenant_id,
    bool_or(table_name = 'graph_user_licenses' and is_measured) as has_licenses,
    bool_or(table_name = 'graph_subscribed_skus' and is_measured) as has_units,
    -- Who is missing from a partial report may have activated all the same.
    bool_or(table_name = 'report_office365_activations_user_detail' and is_measured) as has_some_activations,
    bool_or(table_name = 'report_office365_activations_user_detail' and is_measured and state = 'complete') as has_activations
  from {{ ref('int_coverage') }}
  group by 1
)

select
  u.tenant_id,
  coalesce(u.users_date, u.newest_run_date) as as_of_date,
  u.has_users,
  s.has_licenses,
  s.has_units,
  s.has_some_activations,
  s.has_activations,
  coalesce(i.is_measured, false) as has_inventory,
  case when i.is_measured then i.logical_date end as inventory_date
from users as u
join sources as s on s.tenant_id = u.tenant_id
left join {{ ref('int_coverage') }} as i
  on i.tenant_id = u.tenant_id and i.table_name = 'inventory_installations' and i.run_id = u.run_id
