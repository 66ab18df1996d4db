-- Grain: one row per tenant, snapshot date and employee (line of the user's HR file).
select
  cast(tenant_id as varchar) as tenant_id,
  snapshot_date,
  line,
  employee_id,
  lower(trim(employee_id)) as employee_key,
  lower(user_principal_name) as upn_key,
  lower(mail) as mail_key,
  status,
  department,
  cost_centre,
  lower(manager_user_principal_name) as manager_key,
  end_date
from {{ source('lake', 'hr_employees') }}
